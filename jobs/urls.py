"""Addresses of runs, models and the playground."""

from django.urls import URLPattern, path
from django.views.generic import RedirectView

from jobs.views import (
    compare,
    dataset_tokens,
    deleted_runs,
    deployments,
    home,
    notifications,
    playground,
    prompt_sets,
    queue,
    run_data,
    run_life,
    run_list,
    run_new,
    runs,
)
from jobs.views.models import exports, models, registry

app_name = "jobs"
urlpatterns: list[URLPattern] = [
    path("", home.home, name="home"),
    path("train-sample/", home.train_sample, name="train-sample"),
    path("datasets/<int:pk>/tokens/", dataset_tokens.dataset_tokens, name="dataset-tokens"),
    path(
        "datasets/<int:pk>/tokens/findings/",
        dataset_tokens.dataset_token_findings,
        name="dataset-token-findings",
    ),
    path("settings/notifications/", notifications.notifications, name="notifications"),
    path("settings/notifications/new/<slug:kind>/", notifications.channel_new, name="channel-new"),
    path("settings/notifications/<int:pk>/test/", notifications.channel_test, name="channel-test"),
    path(
        "settings/notifications/<int:pk>/occasions/",
        notifications.channel_occasions,
        name="channel-occasions",
    ),
    path(
        "settings/notifications/<int:pk>/delete/",
        notifications.channel_delete,
        name="channel-delete",
    ),
    path(
        "settings/notifications/confirm/<str:token>/",
        notifications.email_confirm,
        name="email-confirm",
    ),
    path("settings/webhooks/", RedirectView.as_view(pattern_name="jobs:notifications")),
    path("queue/", queue.queue, name="queue"),
    path("queue/move/", queue.queue_move, name="queue-move"),
    path("queue/first/", queue.queue_first, name="queue-first"),
    path("queue/pause/", queue.queue_pause, name="queue-pause"),
    path(
        "runs/<int:pk>/checkpoints/<int:step>/chat/",
        run_life.checkpoint_chat,
        name="checkpoint-chat",
    ),
    path("models/", models.models, name="models"),
    path("models/compare/", registry.models_compare, name="models-compare"),
    path("models/merge/", registry.models_merge, name="models-merge"),
    path("models/merges/<int:pk>/", registry.merge, name="merge"),
    path("models/merges/<int:pk>/cancel/", registry.merge_cancel, name="merge-cancel"),
    path("models/deleted/", registry.deleted_models, name="deleted-models"),
    path("models/aliases/<int:pk>/remove/", registry.alias_remove, name="alias-remove"),
    path("models/<int:pk>/", models.model, name="model"),
    path("deployments/", deployments.deployments, name="deployments"),
    path("deployments/new/", deployments.deployment_new, name="deployment-new"),
    path("deployments/<int:pk>/", deployments.deployment, name="deployment"),
    path("deployments/<int:pk>/change/", deployments.deployment_change, name="deployment-change"),
    path("deployments/<int:pk>/keys/", deployments.key_new, name="deployment-key-new"),
    path(
        "deployments/<int:pk>/keys/<int:key>/revoke/",
        deployments.key_revoke,
        name="deployment-key-revoke",
    ),
    path("deployments/<int:pk>/<slug:verb>/", deployments.deployment_act, name="deployment-act"),
    path("models/<int:pk>/describe/", registry.model_describe, name="model-describe"),
    path("models/<int:pk>/alias/", registry.alias_set, name="alias-set"),
    path("models/<int:pk>/delete/", registry.model_delete, name="model-delete"),
    path("models/<int:pk>/restore/", registry.model_restore, name="model-restore"),
    path("models/<int:pk>/purge/", registry.model_purge, name="model-purge"),
    path("models/<int:pk>/README.md", models.model_card_file, name="model-card"),
    path("models/<int:pk>/exports/", exports.model_exports, name="model-exports"),
    path("models/<int:pk>/exports/new/<slug:name>/", exports.export_new, name="export-new"),
    path("exports/<int:pk>/cancel/", exports.export_cancel, name="export-cancel"),
    path("exports/<int:pk>/delete/", exports.export_delete, name="export-delete"),
    path("exports/<int:pk>/push/", exports.export_push, name="export-push"),
    path("playground/", playground.playground, name="playground"),
    path("playground/presets/", playground.preset_save, name="chat-presets"),
    path(
        "playground/presets/<int:pk>/delete/", playground.preset_delete, name="chat-preset-delete"
    ),
    path("prompt-sets/", prompt_sets.prompt_sets, name="prompt-sets"),
    path("prompt-sets/<int:pk>/", prompt_sets.prompt_set, name="prompt-set"),
    path("prompt-sets/<int:pk>/delete/", prompt_sets.prompt_set_delete, name="prompt-set-delete"),
    path("playground/<int:pk>/", playground.conversation, name="conversation"),
    path("playground/<int:pk>/stop/", playground.conversation_stop, name="conversation-stop"),
    path("playground/<int:pk>/delete/", playground.conversation_delete, name="conversation-delete"),
    path(
        "playground/<int:pk>/branch/<int:turn>/",
        playground.conversation_branch,
        name="conversation-branch",
    ),
    path(
        "playground/<int:pk>/chat.<str:suffix>",
        playground.conversation_file,
        name="conversation-file",
    ),
    path("playground/answers/<uuid:pk>/", playground.answer, name="answer"),
    path("playground/answers/<uuid:pk>/again/", playground.answer_again, name="answer-again"),
    path("playground/answers/<uuid:pk>/stream/", playground.answer_stream, name="answer-stream"),
    path("runs/", run_list.runs, name="runs"),
    path("runs/compare/", compare.compare, name="compare"),
    path("runs/compare/metrics.csv", compare.compare_csv, name="compare-csv"),
    path("runs/compare/charts/<slug:name>.json", compare.compare_chart, name="compare-chart"),
    path(
        "runs/compare/charts/<slug:name>.csv", compare.compare_chart_csv, name="compare-chart-csv"
    ),
    path("runs/selected/", run_list.selected, name="runs-selected"),
    path("runs/new/", run_new.run_new, name="run-new"),
    path("runs/new/form/", run_new.run_new_form, name="run-new-form"),
    path("runs/drafts/<uuid:pk>/delete/", run_new.draft_delete, name="draft-delete"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/extend/", run_life.run_extend, name="run-extend"),
    path("runs/deleted/", deleted_runs.deleted_runs, name="deleted-runs"),
    path("runs/<int:pk>/restore/", deleted_runs.run_restore, name="run-restore"),
    path("runs/<int:pk>/purge/", deleted_runs.run_purge, name="run-purge"),
    path("runs/<int:pk>/parts/<slug:part>/", runs.run_part, name="run-part"),
    path("runs/<int:pk>/charts/<slug:name>.json", run_data.run_chart, name="run-chart"),
    path("runs/<int:pk>/charts/<slug:name>.csv", run_data.run_csv, name="run-csv"),
    path("runs/<int:pk>/charts/<slug:name>/", run_data.run_table, name="run-table"),
    path("runs/<int:pk>/log/", run_data.run_log, name="run-log"),
    path("runs/<int:pk>/log.txt", run_data.run_log_file, name="run-log-file"),
]
urlpatterns += [
    path(f"runs/<int:pk>/{verb}/", runs.run_act, {"verb": verb}, name=f"run-{verb}")
    for verb in runs.ACTS
]
