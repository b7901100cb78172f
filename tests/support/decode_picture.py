"""Makes one derivative and prints the peak memory that it added to the imported module.

Usage, in tests/: python -m support.decode_picture FUNCTIONS_DIRECTORY IMAGE SIDE FORMAT
Prints the number of bytes.
"""

import sys
from pathlib import Path

from support.invoke_handler import peak_bytes

if __name__ == "__main__":
    functions, name, side, output_format = sys.argv[1:]
    sys.path.insert(0, functions)
    from create_image_derivative.image import SUPPORTED_FORMATS, Recipe, make_derivative

    recipe = Recipe(
        int(side),
        int(side),
        formats=SUPPORTED_FORMATS,
        memory_bytes=2**40,
        output_format=output_format,
        transparent=output_format != "jpeg",
    )
    before = peak_bytes()
    with Path(name).open("rb") as source:
        make_derivative(source, Path(name).stat().st_size, recipe)
    print(peak_bytes() - before)
