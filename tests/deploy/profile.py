"""Runs cloudlab/profile.py as CloudLab's portal does, for every combination of parameters, and checks the RSpec that comes of it.

    profile.py PROFILE

geni-lib on PyPI is written for Python 2; the caller has made it one for Python 3 with lib2to3. One method, which writes the XML, is
replaced here: it would write bytes to a file of text.
"""

import itertools
import json
import os
import runpy
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import geni.rspec.pg as pg

RSPEC = "{http://www.geni.net/resources/rspec/3}"
EMULAB = "{http://www.protogeni.net/resources/rspec/ext/emulab/1}"
URN = "urn:publicid:IDN+utah.cloudlab.us:project+ltdataset+texts"
IMAGE = "urn:publicid:IDN+emulab.net+image+emulab-ops//%s-64-STD"

CHOICES = {
    "storage": [1, 3],
    "compute": [1, 4],
    "clients": [0, 2],
    "hardware": ["", "c220g5"],
    "image": [IMAGE % name for name in ("UBUNTU22", "UBUNTU24", "DEBIAN12")],
    "speed": [0, 100000, 1000000, 10000000, 25000000, 40000000, 100000000],
    "disk": [10, 100],
    "dataset": ["", URN],
}
REFUSED = [
    {"storage": 0},
    {"compute": 0},
    {"clients": -1},
    {"storage": 190, "compute": 20},
    {"disk": 9},
    {"dataset": "texts"},
    {"image": "another"},
    {"speed": 3},
    {"storage": "some"},
]


def write_xml(request, path):
    with open(path, "wb") as file:
        file.write(request.toXMLString(True))


def run(profile, asked):
    """What the portal would get: the XML, or None where the profile refuses. In a process of its own: a context is made once."""
    with tempfile.TemporaryDirectory() as folder:
        out, parameters = os.path.join(folder, "out"), os.path.join(folder, "parameters")
        with open(parameters, "w") as file:
            json.dump(asked, file)
        child = os.fork()
        if child == 0:
            os.environ.update(GENILIB_PORTAL_MODE="1", GENILIB_PORTAL_PARAMS_PATH=parameters, GENILIB_PORTAL_REQUEST_PATH=out)
            os.dup2(os.open(os.path.join(folder, "said"), os.O_CREAT | os.O_WRONLY), 2)
            pg.Request.writeXML = write_xml
            code = 0
            try:
                runpy.run_path(profile, run_name="__main__")
            except SystemExit as end:
                code = 10 if end.code else 0
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 20
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return ElementTree.parse(out).getroot()
        with open(os.path.join(folder, "said")) as file:
            said = file.read()
        assert code == 10, "%s: the profile broke:\n%s" % (asked, said)
        return None


def check(root, asked):
    nodes = [node for node in root.findall(RSPEC + "node") if node.find(RSPEC + "sliver_type").get("name") == "raw"]
    kinds = [("storage", asked["storage"]), ("compute", asked["compute"]), ("client", asked["clients"])]
    names = ["%s%d" % (kind, number) for kind, count in kinds for number in range(count)]
    assert [node.get("client_id") for node in nodes] == names
    interfaces = set()
    for index, node in enumerate(nodes):
        check_node(node, asked, "10.10.1.%d" % (index + 1), index < asked["storage"])
        interfaces.update(interface.get("client_id") for interface in node.findall(RSPEC + "interface"))
    links = {link.get("client_id"): link for link in root.findall(RSPEC + "link")}
    lan = [reference.get("client_id") for reference in links["lan"].findall(RSPEC + "interface_ref")]
    assert len(lan) == len(set(lan)) == len(nodes) and set(lan) <= interfaces
    speeds = {int(bound.get("capacity")) for bound in links["lan"].findall(RSPEC + "property") if bound.get("capacity")}
    assert speeds == ({asked["speed"]} if asked["speed"] else set()), speeds
    stores = [node for node in root.findall(RSPEC + "node") if node.find(RSPEC + "sliver_type").get("name") == "emulab-blockstore"]
    assert len(stores) == (1 if asked["dataset"] else 0) == len(links) - 1
    for store in stores:
        held = store.find(EMULAB + "blockstore")
        assert (held.get("dataset"), held.get("class"), held.get("mountpoint")) == (URN, "remote", "/dataset")
        assert held.get("readonly").lower() == "true"
        ends = {reference.get("client_id") for reference in links["dataset-link"].findall(RSPEC + "interface_ref")}
        assert len(ends) == 2 and len(ends & interfaces) == 1


def check_node(node, asked, address, is_storage):
    kind = node.find(RSPEC + "sliver_type")
    assert kind.find(RSPEC + "disk_image").get("name") == asked["image"]
    hardware = node.find(RSPEC + "hardware_type")
    assert (hardware.get("name") if hardware is not None else "") == asked["hardware"]
    found = [ip.get("address") for ip in node.findall("%sinterface/%sip" % (RSPEC, RSPEC))]
    assert found == [address], found
    disks = node.findall(EMULAB + "blockstore")
    assert len(disks) == int(is_storage)
    for disk in disks:
        assert (disk.get("size"), disk.get("mountpoint")) == ("%dGB" % asked["disk"], "/var/lib/ganglion/osd")
    (setup,) = node.findall("%sservices/%sexecute" % (RSPEC, RSPEC))
    words = setup.get("command").split()
    assert words[:2] == ["sudo", "/local/repository/cloudlab/setup"]
    told = dict(zip(words[2::2], words[3::2]))
    assert told == {
        "--first": "10.10.1.1",
        "--address": address,
        "--storage": str(asked["storage"]),
        "--compute": str(asked["compute"]),
        "--clients": str(asked["clients"]),
        "--osd-bytes": "%dG" % (asked["disk"] * 9 // 10),
    }


def main():
    profile = sys.argv[1]
    assert run(profile, {}) is not None, "the defaults are refused"
    count = 0
    for values in itertools.product(*CHOICES.values()):
        asked = dict(zip(CHOICES, values))
        root = run(profile, asked)
        assert root is not None, "%s is refused" % asked
        try:
            check(root, asked)
        except Exception as error:
            raise AssertionError("%s\n%s" % (asked, ElementTree.tostring(root).decode())) from error
        count += 1
    for asked in REFUSED:
        assert run(profile, asked) is None, "%s is not refused" % asked
    print("%d combinations, %d refusals" % (count, len(REFUSED)))


main()
