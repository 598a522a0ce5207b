"""MLflow: a server of one's own, or files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.trackers import Tracker, trackers, web_address


@trackers.register
class MLflow(Tracker):
    """A server of one's own, a database or a folder, which MLFLOW_TRACKING_URI names."""

    label: ClassVar[str] = "MLflow"
    package: ClassVar[str] = "mlflow"
    module: ClassVar[str] = "mlflow"
    callback: ClassVar[str] = "MLflowCallback"
    variables: ClassVar[tuple[str, ...]] = (
        "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_ALLOW_FILE_STORE",
        "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH",
        "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TAGS", "MLFLOW_WORKSPACE",
        "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    )  # fmt: skip
    going_on: ClassVar[Mapping[str, str]] = {"MLFLOW_RUN_ID": "{key}"}

    name: Literal["mlflow"] = "mlflow"

    @classmethod
    def unconfigured(cls, environment: Mapping[str, str]) -> str:
        if environment.get("MLFLOW_TRACKING_URI"):
            return ""
        return "Set MLFLOW_TRACKING_URI to the server's address in the environment."

    @classmethod
    def key(cls, callback: Any) -> str:
        return str(callback._ml_flow.active_run().info.run_id)

    @classmethod
    def address(cls, callback: Any) -> str:
        server = web_address(callback._ml_flow.get_tracking_uri()).rstrip("/")
        info = callback._ml_flow.active_run().info
        return f"{server}/#/experiments/{info.experiment_id}/runs/{info.run_id}" if server else ""

    @classmethod
    def end(cls, callback: Any, *, has_failed: bool) -> None:
        if callback._ml_flow.active_run():
            callback._ml_flow.end_run("FAILED" if has_failed else "FINISHED")
