"""The batch page: upload, look at the problems, take the results home. Keeps nothing between."""

from flask import Blueprint, Response, abort, render_template, request
from flask_wtf import FlaskForm
from flask_wtf.file import FileField

from loan_pipeline.scoring.inputs import ACCOUNT_FIELDS
from loan_pipeline.scoring.scorer import Prediction
from webapp.answering import answer_batch
from webapp.batch import (
    APPLICATION_FIELDS,
    MOST_LINES,
    BatchRejected,
    read_csv,
    template,
    write_csv,
)

batches = Blueprint("batches", __name__, url_prefix="/batch")

_SHOWN = 50
_TEMPLATES = {"account": ACCOUNT_FIELDS, "application": APPLICATION_FIELDS}


class UploadForm(FlaskForm):  # type: ignore[misc]
    """The file; its token keeps other sites' forms out."""

    file = FileField("CSV file")


@batches.route("", methods=["GET", "POST"])
def upload() -> str | tuple[str, int]:
    """The upload, and what was found in the file."""
    form = UploadForm()
    context = {"form": form, "most_lines": MOST_LINES, "templates": _TEMPLATES}
    if request.method == "GET":
        return render_template("batch.html", **context)
    if not form.file.data:
        return render_template("batch.html", problem="Choose a CSV file first.", **context), 422
    data = form.file.data.read()
    try:
        lines = read_csv(data)
    except BatchRejected as error:
        return render_template("batch.html", problem=str(error), **context), 422
    answers = answer_batch([line.fields for line in lines], record=False)
    pairs = list(zip(lines, answers, strict=True))
    good = [(line, answer) for line, answer in pairs if isinstance(answer, Prediction)]
    bad = [(line, answer) for line, answer in pairs if not isinstance(answer, Prediction)]
    return render_template(
        "batch.html",
        lines=lines,
        good=good,
        bad=bad,
        shown=_SHOWN,
        csv=data.decode("utf-8-sig"),
        name=form.file.data.filename,
        **context,
    )


@batches.post("/results")
def results() -> Response | tuple[str, int]:
    """The results as a CSV file."""
    try:
        lines = read_csv(request.form.get("csv", "").encode())
    except BatchRejected as error:
        context = {"form": UploadForm(), "most_lines": MOST_LINES, "templates": _TEMPLATES}
        return render_template("batch.html", problem=str(error), **context), 422
    text = write_csv(lines, answer_batch([line.fields for line in lines]))
    return _csv(text, "predictions.csv")


@batches.get("/template/<name>.csv")
def template_file(name: str) -> Response:
    """An empty batch to fill in."""
    if name not in _TEMPLATES:
        abort(404, f"There is no template called {name}.")
    return _csv(template(_TEMPLATES[name]), f"{name}.csv")


def _csv(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(text, mimetype="text/csv", headers=headers)
