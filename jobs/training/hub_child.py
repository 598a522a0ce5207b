"""Pushes a folder to the Hub in a process of its own: `python -m jobs.training.hub_child`.

It loads no Django; of all secrets it is given the one token that the push was asked for with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from maxaillm.dev.finetune.processes.json_lines import emit, receive_task

MESSAGE = "Export by MaxFT"
STATUS_HINTS = {
    401: "The Hub does not know this token: make one there, with the right to write.",
    403: "This token may not write there: give it the right to write, or choose another owner.",
    404: "Check the owner's name: the token must be of somebody who may write there.",
}


OFFLINE = (
    "This site does not go to the network (HF_HUB_OFFLINE).",
    "Let the site's owner allow it, or download the export and push it.",
)


def main() -> None:
    task = receive_task()
    try:
        emit("url", push(task))
    except OfflineModeIsEnabled:
        emit("error", words(*OFFLINE))
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        hint = STATUS_HINTS.get(status, "Push again in a while.")
        emit("error", words(f"The Hub refused it (status {status}).", hint))
    except (httpx2.HTTPError, OSError) as error:
        said = str(error).replace(task["token"], "…") or type(error).__name__
        emit("error", words(f"The Hub can't be reached: {said[:200]}", "Push again in a while."))


def push(task: Mapping[str, Any]) -> str:
    """Returns the address of the repository."""
    api = HfApi(token=task["token"])
    made = api.create_repo(task["repository"], private=task["is_private"], exist_ok=True)
    api.upload_folder(repo_id=made.repo_id, folder_path=task["folder"], commit_message=MESSAGE)
    return str(made)


def words(message: str, hint: str) -> dict[str, str]:
    return {"code": "hub_push", "message": message, "hint": hint}


if __name__ == "__main__":
    main()
