"""Ganglion: near-data functions on a Ceph of its own, on a Docker Swarm.

Storage nodes have an OSD and the storage worker beside it, compute nodes a compute worker and a gateway, client nodes are for load.
All are on one LAN.

Instructions:
Wait until the experiment is ready and its startup services have finished. `/local/repository/cloudlab/status`, on any node, shows
how far it is, and ends with `ok` when a smoke test has passed. Then call `http://10.10.1.N:8080`, N being the number of any compute
node; the gateways listen on the experiment's LAN only.
"""

import geni.portal as portal
import geni.rspec.pg as pg
import geni.rspec.igext  # noqa: F401  (block stores)

IMAGES = [
    ("urn:publicid:IDN+emulab.net+image+emulab-ops//UBUNTU22-64-STD", "Ubuntu 22.04"),
    ("urn:publicid:IDN+emulab.net+image+emulab-ops//UBUNTU24-64-STD", "Ubuntu 24.04"),
    ("urn:publicid:IDN+emulab.net+image+emulab-ops//DEBIAN12-64-STD", "Debian 12"),
]
SPEEDS = [
    (0, "any"),
    (100000, "100 Mbit/s"),
    (1000000, "1 Gbit/s"),
    (10000000, "10 Gbit/s"),
    (25000000, "25 Gbit/s"),
    (40000000, "40 Gbit/s"),
    (100000000, "100 Gbit/s"),
]
# The LAN is 10.10.1.0/24, and numbers begin with 1.
NODES_MAX = 200
OSD_MOUNT = "/var/lib/ganglion/osd"
DATASET_MOUNT = "/dataset"


def define(context):
    """The parameters of the profile."""
    kind = portal.ParameterType
    context.defineParameter("storage", "Storage nodes", kind.INTEGER, 3, longDescription="Each has an OSD and a storage worker.")
    context.defineParameter("compute", "Compute nodes", kind.INTEGER, 3, longDescription="Each has a compute worker and a gateway.")
    context.defineParameter("clients", "Client nodes", kind.INTEGER, 1, longDescription="For generating load; nothing is placed there.")
    context.defineParameter("hardware", "Hardware type", kind.NODETYPE, "", longDescription="Empty: whatever is free.")
    context.defineParameter("image", "Disk image", kind.IMAGE, IMAGES[0][0], IMAGES)
    context.defineParameter("speed", "Link speed", kind.BANDWIDTH, SPEEDS[0][0], SPEEDS, longDescription="Of each node's link to the LAN.")
    context.defineParameter("disk", "Disk of each OSD, in GB", kind.INTEGER, 100)
    context.defineParameter(
        "dataset",
        "Dataset",
        kind.STRING,
        "",
        longDescription="URN of a remote dataset, mounted read-only at %s on storage0. Empty: none." % DATASET_MOUNT,
    )


def check(context, asked):
    """Tells the portal of values that cannot be had."""

    def refuse(why, *names):
        context.reportError(portal.ParameterError(why, list(names)))

    if asked.storage < 1:
        refuse("There has to be a storage node", "storage")
    if asked.compute < 1:
        refuse("There has to be a compute node", "compute")
    if asked.clients < 0:
        refuse("There cannot be fewer than no clients", "clients")
    if asked.storage + asked.compute + asked.clients > NODES_MAX:
        refuse("There can be at most %d nodes" % NODES_MAX, "storage", "compute", "clients")
    if asked.disk < 10:
        refuse("An OSD needs 10 GB", "disk")
    if asked.dataset and not asked.dataset.startswith("urn:publicid:IDN+"):
        refuse("A dataset is named by its URN", "dataset")
    context.verifyParameters()


def names(asked):
    """Every node's name, in the order of their addresses: the first is the leader."""
    return (
        ["storage%d" % number for number in range(asked.storage)]
        + ["compute%d" % number for number in range(asked.compute)]
        + ["client%d" % number for number in range(asked.clients)]
    )


def add_node(request, lan, asked, index, name):
    node = request.RawPC(name)
    node.disk_image = asked.image
    if asked.hardware:
        node.hardware_type = asked.hardware
    address = "10.10.1.%d" % (index + 1)
    interface = node.addInterface("if-lan")
    interface.addAddress(pg.IPv4Address(address, "255.255.255.0"))
    lan.addInterface(interface)
    if index < asked.storage:
        disk = node.Blockstore("osd-%s" % name, OSD_MOUNT)
        disk.size = "%dGB" % asked.disk
    # The file of an OSD leaves a tenth to its file system.
    setup = "sudo /local/repository/cloudlab/setup --first 10.10.1.1 --address %s --storage %d --compute %d --clients %d --osd-bytes %dG"
    command = setup % (address, asked.storage, asked.compute, asked.clients, asked.disk * 9 // 10)
    node.addService(pg.Execute(shell="bash", command=command))
    return node


def add_dataset(request, asked, node):
    store = request.RemoteBlockstore("dataset", DATASET_MOUNT)
    store.dataset = asked.dataset
    store.readonly = True
    link = request.Link("dataset-link")
    link.addInterface(store.interface)
    link.addInterface(node.addInterface("if-dataset"))
    link.best_effort = True
    link.vlan_tagging = True
    link.link_multiplexing = True


def main():
    context = portal.Context()
    define(context)
    asked = context.bindParameters()
    check(context, asked)
    request = context.makeRequestRSpec()
    lan = request.LAN("lan")
    if asked.speed:
        lan.bandwidth = int(asked.speed)
    nodes = [add_node(request, lan, asked, index, name) for index, name in enumerate(names(asked))]
    if asked.dataset:
        add_dataset(request, asked, nodes[0])
    context.printRequestRSpec(request)


main()
