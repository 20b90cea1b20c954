"""What the functions of the suite have to answer, as other tools have it.

    suite.py make FOLDER    writes the objects, a file each: real text, pictures, digits, memory
    suite.py check FOLDER   reads an answer a line, JSON {"function", "key", "argument", "answer", "put"}; the last two name files, `put`
                            that of an object that the function wrote, or is null. Prints those that are wrong.
"""

import collections
import hashlib
import io
import json
import pathlib
import re
import struct
import subprocess
import sys
import time
import unicodedata

import numpy
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_sample_image
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score


def texts():
    """The licences that every Debian has, one behind the other, and bytes that are no text."""
    licences = sorted(pathlib.Path("/usr/share/common-licenses").iterdir())
    text = b"".join(licence.read_bytes() for licence in licences)
    letters = bytearray(b"ab"[byte % 2] for byte in hashlib.shake_128(b"line").digest(100_000))
    letters[::499] = b"c" * len(letters[::499])
    return {
        "text": text,
        "empty": b"",
        "bytes": hashlib.shake_128(b"suite").digest(70_001),
        "one-line": bytes(letters),
        "zeros": b"a\0b\nab\0c\0\nb\0c\na",
    }


def pictures():
    china = load_sample_image("china.jpg")
    flower = load_sample_image("flower.jpg")[:301, :250]
    opacity = flower[:, :, 1:2]
    found = {}
    for name, picture in {
        "china.png": Image.fromarray(china),
        "grey.png": Image.fromarray(china).convert("L"),
        "palette.png": Image.fromarray(china).quantize(64),
        "opacity.png": Image.fromarray(numpy.concatenate([flower, opacity], axis=2)),
        "pixel.png": Image.fromarray(china[:1, :1]),
    }.items():
        file = io.BytesIO()
        picture.save(file, "PNG")
        found[name] = file.getvalue()
    found["cut.png"] = found["china.png"][:1000]
    return found


def digits():
    images = load_digits().images.astype(numpy.uint8)
    file = struct.pack(">IIII", 0x803, *images.shape) + images.tobytes()
    return {"digits": file, "digits-cut": file[:-1], "digits-one": struct.pack(">IIII", 0x803, 1, 8, 8) + bytes(images[0])}


def tables():
    """What Unicode says of each character that is a number; and what is nearly JSON."""
    characters = [chr(code) for code in range(0x110000) if unicodedata.numeric(chr(code), None) is not None]
    table = {
        character: {
            "name": unicodedata.name(character, None),
            "value": unicodedata.numeric(character),
            "codes": [ord(character), -ord(character), {"digit": unicodedata.digit(character, None) is not None}],
            "small": unicodedata.numeric(character) / 1e9,
            "escaped": '"\\\n\t\u0001' + character,
        }
        for character in characters
    }
    numbers = [0.1, 1e-5, 1e22, 1.5e300, 123456789012345680.0, 1e16, 5e-324, 2**63, -(2**63), 2**64 - 1]
    return {
        "table.json": json.dumps([table, numbers], indent=2).encode(),
        "one.json": b" 1.0 ",
        "deep.json": b"[" * 127 + b"]" * 127,
        "deeper.json": b"[" * 100_000 + b"]" * 100_000,
        "cut.json": json.dumps(table).encode()[:-1],
        "not-utf8.json": b'["\xff"]',
    }


def reports():
    """This process's memory at four moments, in DAMON's words: how much of each region was used since the last one."""
    region = re.compile(r"([0-9a-f]+-[0-9a-f]+) ")
    lines = ["base_time_absolute: 8 m 59.809 s", ""]
    for moment in range(4):
        hold = numpy.ones(moment * 1_000_000)
        found = []
        for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
            if match := region.match(line):
                found.append(match[1])
            elif line.startswith("Referenced:"):
                begin, end = (int(number, 16) for number in found[-1].split("-"))
                found[-1] += f"({(end - begin) / 1024:9.3f} KiB):\t{int(line.split()[1]) % 97}"
        del hold
        pathlib.Path("/proc/self/clear_refs").write_text("1")
        lines += [f"monitoring_start: {moment * 100} ms", f"monitoring_end: {time.monotonic_ns()} ns", "target_id: 1"]
        lines += [f"nr_regions: {len(found)}", *found, ""]
    lines += ["+10-+20(    0.016 KiB):\t99", "10-20 is no region: 99", f"{1:x}-{17:x}({16 / 1024:9.3f} KiB):\t30"]
    return {"report": "\n".join(lines).encode()}


def make(folder):
    for contents in (texts(), pictures(), digits(), tables(), reports()):
        for key, body in contents.items():
            (folder / key).write_bytes(body)


def offsets_of_grep(options, folder, key, pattern):
    command = ["grep", "-oba", *options, "--", pattern, str(folder / key)]
    found = subprocess.run(command, capture_output=True, env={"LC_ALL": "C"}, check=False).stdout
    return [int(line.split(b":", 1)[0]) for line in re.findall(rb"^\d+:", found, re.M)]


def numbers(answer):
    return [int(number) for number in answer.split()]


def same(expected, found):
    assert expected == found, f"expected {str(expected)[:300]}, found {str(found)[:300]}"


def check_wordcount(folder, key, _argument, answer, _put):
    words = collections.Counter((folder / key).read_bytes().split())
    same(b"".join(b"%s\t%d\n" % word for word in sorted(words.items())), answer)


def check_sha256sum(folder, key, _argument, answer, _put):
    tool = subprocess.run(["sha256sum", str(folder / key)], capture_output=True, check=True)
    same(tool.stdout.split()[0], answer)


def check_grep(folder, key, pattern, answer, _put):
    same(offsets_of_grep(["-E"], folder, key, pattern), numbers(answer))


def check_substr(folder, key, needle, answer, _put):
    same(offsets_of_grep(["-F"], folder, key, needle)[:64], numbers(answer))


def check_substrrepl(folder, key, argument, answer, put):
    same(b"OK", answer)
    find, replacement = argument[1:-1].split("' '", 1)
    same((folder / key).read_bytes().replace(find.encode(), replacement.encode()), put)


def check_json_parse(folder, key, _argument, answer, _put):
    value = json.loads((folder / key).read_bytes())
    dumped = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    same(f"Dump length is: {len(dumped.encode())}\n".encode(), answer)


def check_thumbnailer(folder, key, _argument, answer, _put):
    expected = numpy.asarray(Image.open(folder / key).convert("RGBA").reduce(4)).astype(int)
    found = numpy.asarray(Image.open(io.BytesIO(answer))).astype(int)
    same(expected.shape, found.shape)
    # Pillow rounds colours to bytes once more on the way, when they are weighed by how opaque they are.
    opaque = expected[:, :, 3] > 250
    same(0, int(numpy.abs(expected[:, :, 3] - found[:, :, 3]).max()))
    same(0, int(numpy.abs(expected - found)[opaque].max(initial=0)) // 2)
    weighed = (expected[:, :, :3] * expected[:, :, 3:] - found[:, :, :3] * found[:, :, 3:]) / 255
    assert numpy.abs(weighed).max() <= 2, numpy.abs(weighed).max()


def images(folder, key):
    file = (folder / key).read_bytes()
    _, count, rows, columns = struct.unpack(">IIII", file[:16])
    return numpy.frombuffer(file, numpy.uint8, count * rows * columns, 16).reshape(count, -1).astype(float)


def spread(points, labels):
    """The sum of the squared distances to the means of their groups: what k-means makes small."""
    groups = [points[labels == label] for label in numpy.unique(labels)]
    return sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups)


def check_pcakmm(folder, key, _argument, answer, _put):
    labels = numpy.array(numbers(answer))
    pixels = images(folder, key)
    same(len(pixels), len(labels))
    if len(pixels) < 10:
        return
    same(set(range(10)), set(labels))
    points = PCA(32, svd_solver="full").fit_transform(pixels)
    best = KMeans(10, n_init=10, random_state=1).fit(points)
    assert spread(points, labels) <= 1.08 * best.inertia_, (spread(points, labels), best.inertia_)
    assert adjusted_rand_score(best.labels_, labels) >= 0.6, adjusted_rand_score(best.labels_, labels)


def check_pcakmmstore(folder, key, _argument, answer, put):
    same(b"OK", answer)
    pixels = images(folder, key)
    expected = PCA(32, svd_solver="full").fit_transform(pixels)
    found = numpy.frombuffer(put, "<f8").reshape(len(pixels), -1)
    same(expected.shape, found.shape)
    assert numpy.allclose(numpy.abs(expected), numpy.abs(found), atol=1e-8 * numpy.abs(expected).max())


def is_cold(line, threshold):
    match = re.match(r"[0-9a-f]+-[0-9a-f]+\(.*\):\s*(\d+)", line)
    return match is not None and int(match[1]) < threshold


def check_damo(folder, key, threshold, answer, _put):
    most = 0
    for snapshot in (folder / key).read_text().split("nr_regions:")[1:]:
        hot = re.findall(r"^([0-9a-f]+)-([0-9a-f]+)\(.*\):\s*(\d+)", snapshot, re.M)
        most = max(most, sum(int(end, 16) - int(begin, 16) for begin, end, count in hot if int(count) >= int(threshold)))
    same(str(most).encode(), answer)


def check_damofilter(folder, key, threshold, answer, put):
    same(b"OK", answer)
    lines = (folder / key).read_text().splitlines(keepends=True)
    same("".join(line for line in lines if not is_cold(line, int(threshold))).encode(), put)


CHECKS = {
    "wordcount": check_wordcount,
    "sha256sum": check_sha256sum,
    "grep": check_grep,
    "substr": check_substr,
    "substrrepl": check_substrrepl,
    "json_parse": check_json_parse,
    "thumbnailer_decode": check_thumbnailer,
    "thumbnailer_shrink": check_thumbnailer,
    "pcakmm": check_pcakmm,
    "pcakmmstore": check_pcakmmstore,
    "damo": check_damo,
    "damofilter": check_damofilter,
}


def wrong(folder, line):
    """What is wrong with the answer of that line; None where nothing is."""
    told = json.loads(line)
    kind = told["function"].removesuffix("-rs")
    put = told["put"] and pathlib.Path(told["put"]).read_bytes()
    answer = pathlib.Path(told["answer"]).read_bytes()
    try:
        CHECKS[kind](folder, told["key"], told["argument"], answer, put)
    except Exception as error:  # whatever it is, it is said with the answer that brought it about
        return f"{told['function']} {told['key']} {told['argument']}: {error!r}"
    return None


def main():
    command, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "make":
        make(folder)
        return
    found = [wrong(folder, line) for line in sys.stdin]
    lines = [line for line in found if line]
    print(*lines, f"{len(found)} answers, {len(lines)} wrong", sep="\n")
    sys.exit(bool(lines) or not found)


if __name__ == "__main__":
    main()
