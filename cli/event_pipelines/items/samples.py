"""Sample items to try a relay with."""

import hashlib
import json

COLOURS = ("blue", "green", "grey", "red")


def sample(name: str) -> bytes:
    """Returns a JSON file with pairs of every type; always the same for the same name."""
    seed = hashlib.sha256(name.encode()).digest()
    # The price is text until here, so that it has two decimals in the file.
    price = f"{int.from_bytes(seed[:2]) + 100}.{seed[2] % 100:02}"
    document = {
        "name": name,
        "serial": int.from_bytes(seed[3:11]),
        "price": 0,
        "in_stock": bool(seed[11] % 2),
        "colours": sorted({COLOURS[byte % len(COLOURS)] for byte in seed[12:14]}),
        "box": {"width_mm": seed[14] + 100, "height_mm": seed[15] + 100, "label": None},
    }
    text = json.dumps(document, indent=2).replace('"price": 0', f'"price": {price}')
    return f"{text}\n".encode()
