#!/usr/bin/python3
"""Writes model.onnx: a small image classifier with untrained weights, the same bytes every time.

The initial values follow the usual rule: uniform in ±1/sqrt(fan in) for weights and biases.
Needs numpy and onnx (Debian: python3-onnx). Usage: make_model.py [path of the file to write]
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 7
SEED = 1
PARAMETER_COUNT = 52_138


def make_parameters():
    """Weight and bias of each layer, drawn in this order from one generator."""
    random = np.random.RandomState(SEED)
    layers = [
        ("conv1", (8, 1, 3, 3)),
        ("conv2", (16, 8, 3, 3)),
        ("fc1", (64, 16 * 7 * 7)),
        ("fc2", (10, 64)),
    ]
    parameters = []
    for name, shape in layers:
        bound = 1 / np.sqrt(np.prod(shape[1:]))
        for part, dims in (("weight", shape), ("bias", shape[:1])):
            values = random.uniform(-bound, bound, dims).astype("<f4")
            parameters.append(numpy_helper.from_array(values, f"{name}.{part}"))
    return parameters


def make_nodes():
    convolution = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}

    def node(kind, inputs, output, **attributes):
        return helper.make_node(kind, inputs, [output], name=output, **attributes)

    return [
        node("Conv", ["image", "conv1.weight", "conv1.bias"], "conv1", **convolution),
        node("Relu", ["conv1"], "relu1"),
        node("MaxPool", ["relu1"], "pool1", **pool),
        node("Conv", ["pool1", "conv2.weight", "conv2.bias"], "conv2", **convolution),
        node("Relu", ["conv2"], "relu2"),
        node("MaxPool", ["relu2"], "pool2", **pool),
        node("Flatten", ["pool2"], "flat", axis=1),
        node("Gemm", ["flat", "fc1.weight", "fc1.bias"], "fc1", transB=1),
        node("Relu", ["fc1"], "relu3"),
        node("Gemm", ["relu3", "fc2.weight", "fc2.bias"], "logits", transB=1),
    ]


def make_model():
    parameters = make_parameters()
    assert sum(np.prod(p.dims) for p in parameters) == PARAMETER_COUNT
    graph = helper.make_graph(
        make_nodes(),
        "fashion-mnist",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        parameters,
    )
    model = helper.make_model(
        graph, producer_name="make_model.py", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    beside = pathlib.Path(__file__).resolve().parent / "model.onnx"
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    path.write_bytes(make_model().SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
