"""A COLMAP database as Python's own SQLite sees it: checks, schema, and rows with blobs as numbers. Prints JSON."""

import json
import sqlite3
import struct
import sys

db = sqlite3.connect(sys.argv[1])


def numbers(blob, kind):
    size = struct.calcsize("<" + kind)
    return None if blob is None else list(struct.unpack(f"<{len(blob) // size}{kind}", blob))


def rows(sql, kinds):
    """Rows whose blobs are unpacked by the letter of their column; "-" keeps the value as it is."""
    return [[v if k == "-" else numbers(v, k) for v, k in zip(row, kinds)] for row in db.execute(sql)]


tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
print(
    json.dumps(
        {
            "integrity": db.execute("PRAGMA integrity_check").fetchall(),
            "foreign": db.execute("PRAGMA foreign_key_check").fetchall(),
            "version": db.execute("PRAGMA user_version").fetchone()[0],
            "tables": {
                table: {
                    "columns": [row[1:] for row in db.execute(f"PRAGMA table_info({table})")],
                    "references": [row[2:7] for row in db.execute(f"PRAGMA foreign_key_list({table})")],
                    "indices": [row[1:] for row in db.execute(f"PRAGMA index_list({table})")],
                }
                for table in tables
            },
            "cameras": rows("SELECT * FROM cameras", "----d-"),
            "images": rows("SELECT image_id, name, camera_id, prior_qw, prior_tx FROM images", "-----"),
            "keypoints": rows("SELECT * FROM keypoints", "---f"),
            "descriptors": rows("SELECT * FROM descriptors", "---B"),
            "matches": rows("SELECT * FROM matches", "---I"),
            "geometries": rows("SELECT * FROM two_view_geometries", "---I-ddddd"),
        }
    )
)
