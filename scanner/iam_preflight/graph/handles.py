"""By what a workload can be taken hold of: its own ARN, and the ARNs of what it is run by.

A shell in a container is opened on a task of an ECS service, one on a node on the instance that
was launched for it, and code comes to an instance through a deployment group. None of these names
the task definition, the launch template or the instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.graph.arns import arn_of, arn_within
from iam_preflight.graph.secrets import references_in, texts_in
from iam_preflight.graph.tags import tags_of
from iam_preflight.graph.targets import resource_of
from iam_preflight.policy.document import pattern_from
from iam_preflight.resources import Resource
from iam_preflight.values import Reason, Unknown, blocks_of, bool_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Workload
    from iam_preflight.graph.tags import Tags
    from iam_preflight.policy.document import Pattern
    from iam_preflight.values import Mapping, Value

HANDLE_TYPES = (
    "aws_autoscaling_group",
    "aws_codedeploy_deployment_group",
    "aws_ecs_service",
)
"""What has to be read to know."""

_FOR_THE_SERVICE = frozenset(
    {
        ("aws_apprunner_service", "access_role_arn"),
        ("aws_batch_job_definition", "executionRoleArn"),
        ("aws_batch_job_definition", "execution_role_arn"),
        ("aws_ecs_task_definition", "execution_role_arn"),
    }
)
"""Roles that pull images and write logs: what runs in the container never has them.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""


_LAUNCHING = {
    "aws_batch_compute_environment": ("instance_role",),
    "aws_ecs_capacity_provider": ("ec2_instance_profile_arn",),
    "aws_eks_node_group": ("node_role_arn",),
    "aws_emr_cluster": ("instance_profile",),
    "aws_launch_configuration": ("iam_instance_profile",),
    "aws_launch_template": ("iam_instance_profile",),
    "aws_spot_fleet_request": ("iam_instance_profile", "iam_instance_profile_arn"),
    "aws_spot_instance_request": ("iam_instance_profile",),
}
"""What instances are launched by, and the attributes with the role that these then have."""


def launches(workload: Workload) -> bool:
    """Whether it is instances that have the role, which AWS launches and replaces."""
    return workload.attribute in _LAUNCHING.get(workload.resource.type, ())


def runs_code(workload: Workload) -> bool:
    """Whether the code of the workload has the role, and not only the service that starts it."""
    return (workload.resource.type, workload.attribute) not in _FOR_THE_SERVICE


def runs(one: Resource, other: Resource) -> bool:
    """Whether a resource names another one as what it runs, as a pipeline does its builds."""
    if one is other:
        return False
    name, entries = other.text("name"), one.attributes.entries
    return any(
        any(reference.address == other.address for _, reference, _ in references_in(entries[key]))
        or any(name == text for _, _, text, _ in texts_in(entries[key]) if name)
        for key in entries
    )


def handles(workload: Workload, graph: Graph) -> Iterator[Pattern]:
    """The ARNs that an action on the workload can be asked for."""
    own = arn_of(workload.resource)
    if own is not None:
        yield own
    if launches(workload):
        label = f"an instance of {workload.resource.address}"
        instance = Unknown(Reason.COMPUTED, label, workload.resource.header)
        yield arn_within(workload.resource, "ec2", "instance/", instance)
    match workload.resource.type:
        case "aws_ecs_task_definition":
            for service in _services_of(workload.resource, graph):
                flag = service.get("enable_execute_command")
                if flag is not None and bool_of(flag) is not False:
                    yield _tasks_of(service)
        case "aws_instance" | "aws_launch_template" | "aws_launch_configuration":
            for group in graph.of_type("aws_codedeploy_deployment_group"):
                if _deploys_to(group, workload.resource, graph):
                    yield from _codedeploy_arns(group)
        case "aws_mwaa_environment":
            name = workload.resource.get("name")
            pattern = pattern_from(name) if name is not None else None
            if pattern is not None:  # a web login is a right on a role of Airflow's own
                yield arn_within(workload.resource, "airflow", "role/", *pattern.parts, "/*")
        case "aws_sagemaker_domain":
            yield arn_within(workload.resource, "sagemaker", "user-profile/*")


def _services_of(task: Resource, graph: Graph) -> Iterator[Resource]:
    for service in graph.of_type("aws_ecs_service"):
        value = service.get("task_definition")
        if resource_of(value, service, graph, "aws_ecs_task_definition") is task:
            yield service


def _tasks_of(service: Resource) -> Pattern:
    """`task/CLUSTER/*`: the tasks of a service are named by AWS."""
    cluster = service.get("cluster")
    pattern = pattern_from(cluster) if cluster is not None else None
    name: list[str | Unknown] = []
    for part in pattern.parts if pattern is not None else ("default",):
        if isinstance(part, str) and "cluster/" in part:  # an ARN
            name, part = [], part.rpartition("cluster/")[2]
        name.append(part)
    return arn_within(service, "ecs", "task/", *name, "/*")


def _codedeploy_arns(group: Resource) -> Iterator[Pattern]:
    """The deployment group, and the application whose revisions it deploys."""
    own = arn_of(group)
    if own is not None:
        yield own
    application = group.get("app_name")
    pattern = pattern_from(application) if application is not None else None
    if pattern is not None:
        yield arn_within(group, "codedeploy", "application:", *pattern.parts)


def _deploys_to(group: Resource, target: Resource, graph: Graph) -> bool:
    """Whether a deployment group finds instances by their tags or by their scaling group.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/instances-tagging.html
    """
    if target.type == "aws_instance":
        tags = tags_of(target)
        return any(_is_tagged(tags, wanted) for wanted in _tag_filters(group))
    return any(
        graph.lookup.find(launched, Resource, scaling) is target
        for _, scaling, _ in graph.lookup.find_all(group.get("autoscaling_groups"), Resource, group)
        for launched in _launched_by(scaling)
    )


def _tag_filters(group: Resource) -> Iterator[Mapping]:
    for _, wanted in blocks_of(group.get("ec2_tag_filter")):
        yield wanted
    for _, tag_set in blocks_of(group.get("ec2_tag_set")):
        for _, wanted in blocks_of(tag_set.get("ec2_tag_filter")):
            yield wanted


def _is_tagged(tags: Tags, wanted: Mapping) -> bool:
    """Whether a tag filter, by key, by value or by both, finds what has the tags."""
    key, value = text_of(wanted.get("key")), text_of(wanted.get("value"))
    if key is not None and key not in tags.values:
        return False
    keys = tags.values if key is None else (key,)
    return value is None or any(tags.text(name) == value for name in keys)


def _launched_by(scaling: Resource) -> Iterator[Value]:
    """What a scaling group launches: a template or, in older code, a launch configuration."""
    values = [scaling.get("launch_configuration")]
    for _, block in blocks_of(scaling.get("launch_template")):
        values += (block.get("id"), block.get("name"))
    yield from (value for value in values if value is not None)
