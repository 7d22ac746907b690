"""Reads a file with NumPy, SciPy or h5py and prints its arrays as JSON: {name: {dtype, shape, data}}."""

import json
import sys

import h5py
import numpy
import scipy.io


def describe(array):
    array = numpy.asarray(array)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.ravel(order="C").tolist()}


def read(path):
    if path.endswith(".npy"):
        return {"array": numpy.load(path)}
    if path.endswith(".npz"):
        return dict(numpy.load(path))
    if path.endswith(".mat"):
        return {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    arrays = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: arrays.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


print(json.dumps({name: describe(array) for name, array in read(sys.argv[1]).items()}))
