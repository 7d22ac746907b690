"""Loads a result cache as the reference's notebooks do and prints it as JSON, with the types that they rely on."""

import json
import sys

import numpy

illumination, viewpoint, (types, features, matches) = numpy.load(sys.argv[1], allow_pickle=True)
print(
    json.dumps(
        {
            "illumination": [[int(k), float(v)] for k, v in illumination.items()],
            "viewpoint": [[int(k), float(v)] for k, v in viewpoint.items()],
            # A threshold is looked up by a plain number.
            "at3": float(illumination[3]),
            "counts": [[str(a.dtype), list(a.shape), a.tolist()] for a in (types, features, matches)],
            "i": int(numpy.sum(types == "i")),
        }
    )
)
