"""The message classes of the worker library's protocol, as plain objects instead of protobuf."""

from types import SimpleNamespace
from typing import Any, ClassVar


class TypedData(SimpleNamespace):
    """A value with its kind: exactly one attribute is set."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - the name protobuf gives it
        return next(iter(self.__dict__), None)


class ParameterBinding(SimpleNamespace):
    """One input of an invocation: the name of the handler's argument and its value."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - the name protobuf gives it
        return "data"


class StatusResult(SimpleNamespace):
    exception: Any = None
    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    Cancelled: ClassVar[int] = 2


class BindingInfo(SimpleNamespace):
    undefined: ClassVar[int] = 0
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2


class RpcHttpCookie(SimpleNamespace):
    SameSite: ClassVar[Any] = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class InvocationResponse(SimpleNamespace):
    return_value: Any = None


class _Message(SimpleNamespace):
    pass


PROTOS = SimpleNamespace(
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    RpcHttpCookie=RpcHttpCookie,
    InvocationResponse=InvocationResponse,
    **dict.fromkeys(
        (
            "FunctionLoadResponse",
            "FunctionMetadataResponse",
            "NullableBool",
            "NullableDouble",
            "NullableString",
            "NullableTimestamp",
            "RpcException",
            "RpcFunctionMetadata",
            "RpcHttp",
            "RpcRetryOptions",
            "Timestamp",
            "WorkerInitResponse",
            "WorkerMetadata",
        ),
        _Message,
    ),
)


def build_trace(parent: str) -> SimpleNamespace:
    return SimpleNamespace(trace_parent=parent, trace_state="", attributes={})


FIRST_TRY = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)
