"""The two forms, made from the contract: labels, units, bounds and help are its own.

A form only turns text into numbers; whether they can be scored is decided where JSON is, too.
"""

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, SelectField, StringField

from loan_pipeline.contracts.features import APPLICATION_FEATURES, FEATURES_BY_NAME, Feature
from loan_pipeline.scoring.inputs import InputRejected
from loan_pipeline.scoring.text import code_label
from webapp.numerals import number_or_text


class NumberField(StringField):
    """A number in an `<input type="number">`; what is no number stays text and is told so."""

    def __init__(
        self,
        label: str,
        *,
        hint: str,
        unit: str,
        minimum: float,
        maximum: float,
        required: bool,
        whole: bool = False,
        **options: Any,
    ) -> None:
        bounds = {"min": f"{minimum:.0f}", "max": f"{maximum:.0f}", "step": "1" if whole else "any"}
        attributes = {"type": "number", "inputmode": "numeric" if whole else "decimal", **bounds}
        if required:
            attributes["required"] = ""
        super().__init__(label, description=hint, render_kw=attributes, **options)
        self.unit = unit
        self.bounds = f"{minimum:,.0f} to {maximum:,.0f}"

    def value(self) -> object:
        """The number; None where the field is empty; the text where it is no number."""
        return number_or_text(self.data or "")


class CodeField(SelectField):
    """One of a feature's codes."""

    unit = ""
    bounds = ""

    def value(self) -> object:
        """The code sent."""
        return self.data or None

    def pre_validate(self, form: Any) -> None:
        """Leave the check to the contract."""


class ContractForm(FlaskForm):  # type: ignore[misc]
    """A form whose fields carry the names that the scorer uses."""

    def fields(self) -> list[Field]:
        """The fields that people fill in."""
        return [field for field in self if isinstance(field, NumberField | CodeField)]

    def values(self) -> dict[str, object]:
        """What was sent, by field; None where it is empty."""
        return {field.name: field.value() for field in self.fields()}  # type: ignore[attr-defined]

    def show(self, rejected: InputRejected) -> None:
        """Put each problem beside its field."""
        for problem in rejected.problems:
            self.show_at(problem.field, problem.message)

    def show_at(self, name: str, message: str) -> None:
        """Put a problem beside a field."""
        self[name].errors = [*self[name].errors, message]

    def fill_in(self, values: Mapping[str, object]) -> None:
        """Write values into the empty form."""
        for name, value in values.items():
            self[name].data = f"{value:g}" if isinstance(value, float) else value


def _field(feature: Feature) -> Field:
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
    return NumberField(
        label,
        hint=hint,
        unit=feature.unit if feature.unit != "count" else "",
        minimum=feature.minimum,
        maximum=feature.maximum,
        required=feature.null_means is None and feature.name != "payments",
        whole=feature.unit in ("months", "count"),
    )


class AccountForm(ContractForm):
    """A loan to an account that the bank knows."""

    account_id = NumberField(
        "Account",
        hint="The number of the applicant's account.",
        unit="",
        minimum=0,
        maximum=2**53,
        required=True,
        whole=True,
    )
    amount = _field(FEATURES_BY_NAME["amount"])
    duration = _field(FEATURES_BY_NAME["duration"])


class ApplicationForm(ContractForm):
    """A loan by the application's own fields."""


for _feature in APPLICATION_FEATURES:
    setattr(ApplicationForm, _feature.name, _field(_feature))
