"""Words for people: a feature's value with its unit, a reason as a sentence. No arithmetic."""

from loan_pipeline.contracts.features import Feature

CODE_LABELS = {
    "POPLATEK MESICNE": "monthly",
    "POPLATEK TYDNE": "weekly",
    "POPLATEK PO OBRATU": "after a transaction",
    "M": "man",
    "F": "woman",
}


def code_label(code: str) -> str:
    """What a code of the bank means."""
    return CODE_LABELS.get(code, code)


def value_text(feature: Feature, value: str | float | None) -> str:
    """A value with its unit: "1,204 CZK", "12 %", "weekly", "no permanent order"."""
    if value is None:
        return feature.null_means or "not known"
    if isinstance(value, str):
        return code_label(value)
    match feature.unit:
        case "share":
            return f"{100 * value:.1f} %"
        case "percent":
            return f"{value:.1f} %"
        case "ratio":
            return f"{value:,.2f}"
        case "count":
            return f"{value:,.0f}"
        case "years":
            return f"{value:,.1f}".removesuffix(".0") + " years"
        case unit:
            return f"{value:,.0f} {unit}"


def reason_text(feature: Feature, value: str | float | None) -> str:
    """A reason for people: "lowest balance in the last 90 days: 1,204 CZK"."""
    return f"{feature.label}: {value_text(feature, value)}"
