"""Prints a TensorBoard event file as JSON, or writes one ("write" PATH) as PyTorch's writer does, without metadata: protobuf's own Python library on messages declared here from TensorBoard's
event.proto, summary.proto, tensor.proto and tensor_shape.proto; CRC-32C bit by bit, by its definition."""
import hashlib
import json
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

F = descriptor_pb2.FieldDescriptorProto
SCHEMA = {
    "Event": [
        ("wall_time", 1, F.TYPE_DOUBLE), ("step", 2, F.TYPE_INT64), ("file_version", 3, F.TYPE_STRING),
        ("summary", 5, "Summary"), ("session_log", 7, "SessionLog"),
    ],
    "SessionLog": [("status", 1, F.TYPE_INT32)],
    "Summary": [("value", 1, "[Value]")],
    "Value": [
        ("tag", 1, F.TYPE_STRING), ("simple_value", 2, F.TYPE_FLOAT), ("image", 4, "Image"),
        ("tensor", 8, "TensorProto"), ("metadata", 9, "SummaryMetadata"),
    ],
    "Image": [
        ("height", 1, F.TYPE_INT32), ("width", 2, F.TYPE_INT32), ("colorspace", 3, F.TYPE_INT32),
        ("encoded_image_string", 4, F.TYPE_BYTES),
    ],
    "SummaryMetadata": [("plugin_data", 1, "PluginData"), ("data_class", 4, F.TYPE_INT32)],
    "PluginData": [("plugin_name", 1, F.TYPE_STRING), ("content", 2, F.TYPE_BYTES)],
    "TensorProto": [
        ("dtype", 1, F.TYPE_INT32), ("tensor_shape", 2, "TensorShapeProto"), ("string_val", 8, "[bytes]"),
    ],
    "TensorShapeProto": [("dim", 2, "[Dim]")],
    "Dim": [("size", 1, F.TYPE_INT64)],
}

ONEOFS = {"Event": ("file_version", "summary", "session_log"), "Value": ("simple_value", "image", "tensor")}


def event_class():
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="tb", syntax="proto3")
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        if name in ONEOFS:
            message.oneof_decl.add(name="one")
        for field, number, kind in fields:
            repeated = isinstance(kind, str) and kind.startswith("[")
            inner = kind.strip("[]") if isinstance(kind, str) else kind
            entry = message.field.add(name=field, number=number, label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
            if field in ONEOFS.get(name, ()):
                entry.oneof_index = 0
            if inner == "bytes":
                entry.type = F.TYPE_BYTES
            elif isinstance(inner, str):
                entry.type, entry.type_name = F.TYPE_MESSAGE, f".tb.{inner}"
            else:
                entry.type = inner
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("tb.Event"))


def masked(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def write(Event, path):
    events = [Event(wall_time=1.5, file_version="brain.Event:2")]
    event = Event(wall_time=2.5, step=3_000_000_000)
    event.summary.value.add(tag="loss", simple_value=0.25)
    event.summary.value.add(tag="picture").image.CopyFrom(
        type(event.summary.value[0].image)(height=2, width=3, colorspace=3, encoded_image_string=b"\x89PNG")
    )
    text = event.summary.value.add(tag="said")
    text.metadata.plugin_data.plugin_name = "text"
    text.metadata.plugin_data.content = b"\x08\x00"
    text.tensor.dtype = 7
    text.tensor.tensor_shape.dim.add(size=1)
    text.tensor.string_val.append("grüße".encode())
    numbers = event.summary.value.add(tag="numbers")
    numbers.tensor.dtype = 1
    events += [event, Event(wall_time=3.5, step=4)]
    events[-1].session_log.status = 1
    with open(path, "wb") as file:
        for body in (event.SerializeToString() for event in events):
            header = struct.pack("<Q", len(body))
            file.write(header + struct.pack("<I", masked(header)) + body + struct.pack("<I", masked(body)))


def main():
    Event = event_class()
    if sys.argv[1] == "write":
        write(Event, sys.argv[2])
        return print("null")
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    at, events, unknown = 0, [], 0
    while at < len(data):
        header = data[at : at + 8]
        (length,) = struct.unpack("<Q", header)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(header), "length's check"
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(body), "data's check"
        event = Event()
        event.ParseFromString(body)
        before = event.ByteSize()
        event.DiscardUnknownFields()
        unknown += before - event.ByteSize()
        for value in event.summary.value:
            if value.HasField("image"):
                digest = hashlib.sha256(value.image.encoded_image_string).hexdigest()
                value.image.encoded_image_string = bytes.fromhex(digest)
        events.append(json_format.MessageToDict(event, preserving_proto_field_name=True))
        at += 16 + length
    print(json.dumps({"events": events, "unknown": unknown}))


main()
