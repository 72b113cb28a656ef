"""The two forms, made from the request models: labels, units, bounds and help are the contract's.

A form only turns text into values; whether they can be scored is decided where JSON is, too.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from flask_wtf import FlaskForm
from pydantic import BaseModel
from wtforms import Field, SelectField, StringField

from loan_pipeline.contracts.features import Feature
from loan_pipeline.contracts.numbers_in_text import number
from loan_pipeline.scoring.requests import (
    ACCOUNT_REQUEST,
    AccountRequest,
    InputRejected,
    application_features,
    application_request,
)
from loan_pipeline.scoring.text import code_label

_WHOLE_UNITS = ("", "months", "count")
_NOT_SHOWN_AS_UNIT = ("count", "code")


class NumberField(StringField):
    """A number in an `<input type="number">`."""

    def __init__(self, feature: Feature, *, required: bool, **options: Any) -> None:
        whole = feature.unit in _WHOLE_UNITS
        low, high = f"{feature.minimum:.0f}", f"{min(feature.maximum, 2**53):.0f}"
        attributes = {
            "type": "number",
            "inputmode": "numeric" if whole else "decimal",
            "min": low,
            "max": high,
            "step": "1" if whole else "any",
        }
        if required:
            attributes["required"] = ""
        super().__init__(render_kw=attributes, **options)
        self.unit = "" if feature.unit in _NOT_SHOWN_AS_UNIT else feature.unit
        self.bounds = f"{feature.minimum:,.0f} to {feature.maximum:,.0f}"

    def value(self) -> object:
        """The number; None where the field is empty; the text where it is no number.

        Browsers send number fields with a decimal point, so a comma can only be a mistake.
        """
        text = (self.data or "").strip()
        if not text:
            return None
        value = None if "," in text else number(text, ".")
        return text if value is None else value


class CodeField(SelectField):
    """One of a feature's codes."""

    unit = ""
    bounds = ""

    def value(self) -> object:
        """The code sent."""
        return self.data or None

    def pre_validate(self, form: Any) -> None:
        """Leave the check to the request model."""


class RequestForm(FlaskForm):  # type: ignore[misc]
    """A form whose fields carry the names that the scorer uses."""

    def fields(self) -> list[Field]:
        """The fields that people fill in."""
        return [field for field in self if isinstance(field, NumberField | CodeField)]

    def values(self) -> dict[str, object]:
        """What was sent, by field; None where it is empty."""
        return {field.name: field.value() for field in self.fields()}  # type: ignore[attr-defined]

    def show(self, rejected: InputRejected) -> None:
        """Show each problem beside its field.

        Raises:
            InputRejected: a field is not on the form, which another model's release came between.
        """
        if any(problem.field not in self for problem in rejected.problems):
            raise rejected
        for problem in rejected.problems:
            self.show_at(problem.field, problem.message)

    def show_at(self, name: str, message: str) -> None:
        """Show a problem beside a field."""
        self[name].errors = [*self[name].errors, message]

    def fill_in(self, values: Mapping[str, object]) -> None:
        """Write values into the empty form."""
        for name, value in values.items():
            self[name].data = f"{value:g}" if isinstance(value, float) else value


def _form(name: str, model: type[BaseModel], features: Sequence[Feature]) -> type[RequestForm]:
    fields = {
        feature.name: _field(feature, required=model.model_fields[feature.name].is_required())
        for feature in features
    }
    return type(name, (RequestForm,), fields)


def _field(feature: Feature, *, required: bool) -> Field:
    hint = feature.definition
    if feature.null_means:
        hint += f" Leave it empty for: {feature.null_means}."
    label = feature.label.capitalize()
    if feature.codes:
        return CodeField(
            label,
            description=hint,
            choices={"": "Choose"} | {code: code_label(code) for code in feature.codes},
            render_kw={"required": ""},
        )
    return NumberField(feature, required=required, label=label, description=hint)


AccountForm = _form("AccountForm", AccountRequest, ACCOUNT_REQUEST)


@cache
def application_form(names: tuple[str, ...]) -> type[RequestForm]:
    """The application form for a model that was made with those features."""
    return _form("ApplicationForm", application_request(names), application_features(names))
