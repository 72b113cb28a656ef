"""Passes Dagster's step events to the display that shows a run's progress."""

import logging

import dagster as dg

from loan_pipeline.progress import current_display

STEP_LOGGER = "steps"


class _StepHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        display = current_display()
        if event is None or event.step_key is None or display is None:
            return
        step = event.step_key.replace("__", " ").replace("_", " ")
        if event.event_type is dg.DagsterEventType.STEP_START:
            display.step_started(step)
        elif event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            display.step_ended(step, succeeded=True)
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
            display.step_ended(step, succeeded=False)


def _step_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger(STEP_LOGGER, level=logging.DEBUG)
    logger.addHandler(_StepHandler())
    return logger


def loggers() -> dg.Definitions:
    """The logger by the name that run configuration uses."""
    description = "Steps on the display of `loan-pipeline run`, instead of Dagster's own lines."
    return dg.Definitions(
        loggers={STEP_LOGGER: dg.LoggerDefinition(_step_logger, None, description)}
    )
