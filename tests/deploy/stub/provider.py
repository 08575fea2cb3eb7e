"""A provider of Terraform that knows the real schemas and makes up what a cloud would answer.

Started by Terraform as `provider.py NAME`; speaks version 6 of its plugin protocol. Started by the
tests as `provider.py NAME SOCKET`, it serves one Terraform after the other.
"""

import base64
import json
import os
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path

import grpc
import msgpack
from tf.gen import grpc_controller_pb2 as controller
from tf.gen import tfplugin_pb2 as pb
from tf.runner import _self_signed_cert

SCHEMA = json.loads((Path(__file__).parent / "schemas" / f"{sys.argv[1]}.json").read_text())
UNKNOWN = msgpack.ExtType(0, b"\x00")
NESTED = pb.Schema.NestedBlock
NESTING = {
    "list": NESTED.LIST,
    "list1": NESTED.LIST,
    "map": NESTED.LIST,
    "set": NESTED.SET,
    "single": NESTED.SINGLE,
}


def block(one):
    made = pb.Schema.Block()
    for name, told in sorted(one["attributes"].items()):
        made.attributes.append(
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(told["type"]).encode(),
                required=told["required"],
                optional=told["optional"],
                computed=told["computed"],
            )
        )
    for name, inner in sorted(one["blocks"].items()):
        # A set must know its types.
        loose = inner["nest"] == "set" and "dynamic" in json.dumps(inner["block"])
        made.block_types.append(
            NESTED(
                type_name=name,
                block=block(inner["block"]),
                nesting=NESTED.LIST if loose else NESTING[inner["nest"]],
                min_items=0 if inner["nest"] == "single" else inner["min"],
                max_items=1 if inner["nest"] == "list1" else 0,
            )
        )
    return made


def schemas(request, context):
    made = pb.GetProviderSchema.Response(server_capabilities=pb.ServerCapabilities())
    made.provider.CopyFrom(pb.Schema(version=0, block=block(SCHEMA["provider"])))
    for name, one in SCHEMA["resource"].items():
        made.resource_schemas[name].CopyFrom(pb.Schema(version=0, block=block(one)))
    for name, one in SCHEMA["data"].items():
        made.data_source_schemas[name].CopyFrom(pb.Schema(version=0, block=block(one)))
    return made


def decoded(value):
    if value.msgpack:
        return msgpack.unpackb(
            value.msgpack, strict_map_key=False, ext_hook=lambda code, data: UNKNOWN
        )
    return json.loads(value.json) if value.json else None


def encoded(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def each(one, value, change):
    """The value with `change` done to each attribute at any depth."""
    if value is None or isinstance(value, msgpack.ExtType):
        return value
    made = dict(value)
    for name, told in one["attributes"].items():
        made[name] = change(name, told, made.get(name))
    for name, inner in one["blocks"].items():
        given = made.get(name)
        if isinstance(given, list):
            made[name] = [each(inner["block"], item, change) for item in given]
        elif isinstance(given, dict):
            made[name] = each(inner["block"], given, change)
    return made


def later(name, told, value):
    return UNKNOWN if value is None and told["computed"] else value


def made_up(kind, name):
    if isinstance(kind, list):
        if kind[0] in {"list", "set"}:
            return [made_up(kind[1], name)]
        if kind[0] == "object":
            return {key: made_up(inner, key) for key, inner in kind[1].items()}
        return {}
    # A request of a data source went well.
    number = 200 if name == "status_code" else 1
    return {"string": f"made-up-{name}", "number": number, "bool": False}.get(kind)


def now_known(name, told, value):
    return made_up(told["type"], name) if isinstance(value, msgpack.ExtType) else value


def not_ours(one, value, path):
    """Arguments that only a cloud may set."""
    if not isinstance(value, dict):
        return
    for name, told in one["attributes"].items():
        settable = told["optional"] or told["required"]
        if not settable and value.get(name) is not None:
            yield ".".join([*path, name])
    for name, inner in one["blocks"].items():
        given = value.get(name)
        for item in given if isinstance(given, list) else [given]:
            yield from not_ours(inner["block"], item, [*path, name])


def validate_resource(request, context):
    found = not_ours(SCHEMA["resource"][request.type_name], decoded(request.config), [])
    return pb.ValidateResourceConfig.Response(
        diagnostics=[
            pb.Diagnostic(
                severity=pb.Diagnostic.ERROR,
                summary="Value for unconfigurable attribute",
                detail=f"{path} is read-only",
            )
            for path in found
        ]
    )


def plan(request, context):
    wanted = decoded(request.proposed_new_state)
    made = each(SCHEMA["resource"][request.type_name], wanted, later)
    return pb.PlanResourceChange.Response(planned_state=encoded(made))


def apply(request, context):
    planned = decoded(request.planned_state)
    made = each(SCHEMA["resource"][request.type_name], planned, now_known)
    if made.get("arn") == "made-up-arn":
        # One that says whose it is, so that a test sees who was meant.
        made["arn"] = f"arn:{request.type_name}/{made.get('name') or made.get('resource_id')}"
    return pb.ApplyResourceChange.Response(new_state=encoded(made))


def read_data(request, context):
    one = SCHEMA["data"][request.type_name]
    made = each(one, each(one, decoded(request.config), later), now_known)
    if request.type_name == "aws_availability_zones":
        made["names"] = ["zone-a", "zone-b", "zone-c"]
    if request.type_name == "aws_iam_policy_document":
        # As the provider does it without a cloud, as far as our rules look at it.
        made["json"] = json.dumps({"Statement": made["statement"]}, default=str)
    return pb.ReadDataSource.Response(state=encoded(made))


def same_state(request, context):
    return pb.ReadResource.Response(new_state=request.current_state)


def upgrade(request, context):
    return pb.UpgradeResourceState.Response(
        upgraded_state=pb.DynamicValue(json=request.raw_state.json)
    )


def unknown(request, context):
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "not needed")


def empty(name):
    return lambda request, context: getattr(pb, name).Response()


ANSWERS = {
    "GetProviderSchema": schemas,
    "GetMetadata": unknown,
    "ValidateResourceConfig": validate_resource,
    "UpgradeResourceState": upgrade,
    "ReadResource": same_state,
    "PlanResourceChange": plan,
    "ApplyResourceChange": apply,
    "ReadDataSource": read_data,
    **{
        name: empty(name)
        for name in (
            "ValidateProviderConfig",
            "ConfigureProvider",
            "ValidateDataResourceConfig",
            "StopProvider",
        )
    },
}


def serve(place=None):
    done = threading.Event()

    def shut_down(request, context):
        done.set()
        return controller.Empty()

    def handler(name, answer):
        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=getattr(pb, name).Request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)],
    )
    generic = grpc.method_handlers_generic_handler
    server.add_generic_rpc_handlers(
        (
            generic("tfplugin6.Provider", {n: handler(n, a) for n, a in ANSWERS.items()}),
            generic(
                "plugin.GRPCController",
                {
                    "Shutdown": grpc.unary_unary_rpc_method_handler(
                        shut_down,
                        request_deserializer=controller.Empty.FromString,
                        response_serializer=lambda message: message.SerializeToString(),
                    )
                },
            ),
            generic(
                "plugin.GRPCStdio",
                {
                    "StreamStdio": grpc.unary_stream_rpc_method_handler(
                        lambda request, context: iter(()), lambda raw: raw, lambda message: b""
                    )
                },
            ),
        )
    )
    if place:
        server.add_insecure_port(f"unix:{place}")
        server.start()
        print("It listens", flush=True)
        server.wait_for_termination()
    with tempfile.TemporaryDirectory() as folder:
        socket = os.path.join(folder, "s")  # noqa: PTH118
        chain, credentials = _self_signed_cert()
        server.add_secure_port(f"unix://{socket}", credentials)
        server.start()
        told = base64.b64encode(chain).decode().rstrip("=")
        print("|".join(["1", "6", "unix", socket, "grpc", told]), flush=True)
        done.wait()
        server.stop(0.2).wait()


if __name__ == "__main__":
    serve(*sys.argv[2:])
