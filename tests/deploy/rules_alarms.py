"""What somebody must be told of in every cloud: nobody sees from outside that jobs wait."""

import json
from collections.abc import Iterator

from reading import Parsed, many, where

RUNTIMES = (
    "aws_ecs_cluster", "aws_eks_cluster", "azurerm_container_app", "azurerm_kubernetes_cluster",
    "google_cloud_run_v2_worker_pool", "google_container_cluster",
)  # fmt: skip
# The alarm, what it is called by, whom it tells.
ALARMS = {
    "aws_cloudwatch_metric_alarm": ("alarm_name", "alarm_actions"),
    "azurerm_monitor_metric_alert": ("name", "action"),
    "azurerm_monitor_scheduled_query_rules_alert_v2": ("name", "action"),
    "google_monitoring_alert_policy": ("display_name", "notification_channels"),
}


def of_workers(found: Parsed) -> Iterator[str]:
    if not any(found.get(kind) for kind in RUNTIMES):
        return
    ours = [
        (kind, one)
        for kind, (name, _) in ALARMS.items()
        for one in found.get(kind, [])
        if "worker" in str(one.get(name))
    ]
    if not ours:
        yield "there is no alarm for missing workers"
    for kind, one in ours:
        if not many(one.get(ALARMS[kind][1])):
            yield f"{where(one)}: tells nobody"
        # A figure of what is not there is not there either.
        silent = (
            one.get("treat_missing_data") != "breaching"
            if kind == "aws_cloudwatch_metric_alarm"
            else "condition_absent" not in json.dumps(many(one.get("conditions")), default=str)
            if kind == "google_monitoring_alert_policy"
            else False
        )
        if silent:
            yield f"{where(one)}: keeps quiet when no figure comes"
