"""Colours of classes."""

_BITS = 8


def class_colors(num_classes: int) -> list[list[int]]:
    """Return a distinct RGB colour for every class; the first 21 are those of PASCAL VOC.

    Bits 0, 1, 2 of the class number are the highest bits of red, green and blue, bits 3, 4, 5 the
    next ones, and so on. Class 0, the background, is black.

    Args:
        num_classes: Number of classes, background included, at most 256.
    """
    return [[_channel(number, channel) for channel in range(3)] for number in range(num_classes)]


def _channel(number: int, channel: int) -> int:
    bits = ((number >> (3 * i + channel) & 1) << (_BITS - 1 - i) for i in range(3))
    return sum(bits)
