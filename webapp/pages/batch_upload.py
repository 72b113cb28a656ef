"""The batch page: upload, see the problems by line, download the results. Stores no file."""

from flask import Blueprint, Response, abort, render_template, request
from flask_wtf import FlaskForm
from flask_wtf.file import FileField

from loan_pipeline.scoring.requests import ACCOUNT_FIELDS
from loan_pipeline.scoring.scorer import Prediction
from webapp.batch.csv_file import read_csv, template, with_encoding, write_csv
from webapp.batch.dialect import decode
from webapp.batch.lines import MOST_LINES, BatchRejected
from webapp.score_requests import application_fields, score_batch

batches = Blueprint("batches", __name__, url_prefix="/batch")

_SHOWN = 50
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


class UploadForm(FlaskForm):  # type: ignore[misc]
    """The file; its token keeps other sites' forms out."""

    file = FileField("CSV file")


@batches.route("", methods=["GET", "POST"])
def upload() -> str | tuple[str, int]:
    """The upload, and what was found in the file."""
    form = UploadForm()
    if request.method == "GET":
        return _page(form)
    if not form.file.data:
        return _page(form, problem="Choose a CSV file first."), 422
    data = form.file.data.read()
    try:
        batch = read_csv(data, application_fields())
    except BatchRejected as error:
        return _page(form, problem=str(error)), 422
    answers = score_batch(batch.lines, record=False)
    pairs = list(zip(batch.lines, answers, strict=True))
    text, encoding = decode(data)
    return _page(
        form,
        lines=batch.lines,
        good=[(line, answer) for line, answer in pairs if isinstance(answer, Prediction)],
        bad=[(line, answer) for line, answer in pairs if not isinstance(answer, Prediction)],
        shown=_SHOWN,
        csv=text,
        encoding=encoding,
        name=form.file.data.filename,
    )


@batches.post("/results")
def results() -> Response | tuple[str, int]:
    """The results as a CSV file, written as the uploaded one was."""
    encoding = request.form.get("encoding")
    try:
        batch = read_csv(request.form.get("csv", "").encode(), application_fields())
    except BatchRejected as error:
        return _page(UploadForm(), problem=str(error)), 422
    if encoding in _ENCODINGS:
        batch = with_encoding(batch, encoding)
    return _csv(write_csv(batch, score_batch(batch.lines)), "predictions.csv")


@batches.get("/template/<name>.csv")
def template_file(name: str) -> Response:
    """An empty batch to fill in."""
    columns = _templates().get(name)
    if columns is None:
        abort(404, f"There is no template called {name}.")
    return _csv(template(columns), f"{name}.csv")


def _templates() -> dict[str, tuple[str, ...]]:
    return {"account": ACCOUNT_FIELDS, "application": application_fields()}


def _page(form: UploadForm, **context: object) -> str:
    return render_template(
        "batch.html", form=form, most_lines=MOST_LINES, templates=_templates(), **context
    )


def _csv(content: str | bytes, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(content, mimetype="text/csv", headers=headers)
