"""All writes to datasets."""

from datasets_app.services.checks import (
    check_again,
    queue_check,
    record_check,
    run_check,
)
from datasets_app.services.deletion import (
    delete_dataset,
    purge_dataset,
    purge_datasets,
    restore_dataset,
)
from datasets_app.services.hub import choose_of_hub, import_from_hub, is_offline
from datasets_app.services.imports import import_dataset, import_upload
from datasets_app.services.mapping import set_mapping
from datasets_app.services.samples import ensure_samples
from datasets_app.services.sweeps import requeue_lost_checks, sweep_uploads
from datasets_app.services.uploads import (
    append_to_upload,
    discard_upload,
    stage_file,
    start_upload,
)
from datasets_app.services.versions import (
    bring_back,
    change_version,
    fix_version,
    join_datasets,
    lock_test,
)

__all__ = [
    "append_to_upload",
    "bring_back",
    "change_version",
    "check_again",
    "choose_of_hub",
    "delete_dataset",
    "discard_upload",
    "ensure_samples",
    "fix_version",
    "import_dataset",
    "import_from_hub",
    "import_upload",
    "is_offline",
    "join_datasets",
    "lock_test",
    "purge_dataset",
    "purge_datasets",
    "queue_check",
    "record_check",
    "requeue_lost_checks",
    "restore_dataset",
    "run_check",
    "set_mapping",
    "stage_file",
    "start_upload",
    "sweep_uploads",
]
