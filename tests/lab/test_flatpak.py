# SPDX-License-Identifier: GPL-2.0-or-later
"""A Flatpak application's sandbox: the manifest's module builds what belongs into it, and a port reaches it through xdg-dbus-proxy with
the one permission of docs/flatpak.md, and not without."""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

import tap  # noqa: E402

BUILD = os.path.join(os.environ.get("RAWNET_BUILD", f"{SOURCE}/build"), "flatpak")
MANIFEST = f"{SOURCE}/tools/package.d/flatpak/rawnet.json"
PASSES_DESCRIPTORS = (0, 1, 6)  # the first xdg-dbus-proxy that does not drop clients of sd-bus
INSTALLED = {"bin/rawnetctl", "libexec/rawnet/dhcp-script", "libexec/rawnet/rawnet-bridge-helper"}

# Runs in the lab, as root. flatpak-run(1) starts the proxy and bwrap in this way, for an application without --share=network.
IN_LAB = r"""
import contextlib, os, subprocess, sys
import bus, frames, lab

APP, PERMISSIONS = sys.argv[1], ["--talk=org.rawnet1"]
REAL, INSIDE = "unix:path=/run/dbus/system_bus_socket", "/run/dbus/system_bus_socket"

@contextlib.contextmanager
def proxy(user, *permissions):
    socket = f"{lab.LAB}/home/{user}/proxy"
    ours, theirs = os.pipe()
    with lab.popen_as(user, ["xdg-dbus-proxy", f"--fd={theirs}", REAL, socket, "--filter", *permissions], pass_fds=[theirs]) as process:
        os.close(theirs)
        try:
            assert os.read(ours, 1) == b"x", "the proxy says that it is ready"
            yield socket
        finally:
            process.terminate()
            os.close(ours)

def words(socket, *command):
    binds = [word for name in ("bin", "sbin", "lib", "lib64") if os.path.islink(f"/{name}") for word in ("--symlink", f"usr/{name}", f"/{name}")]
    return ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-net", "--die-with-parent", "--ro-bind", "/usr", "/usr", *binds,
            "--ro-bind", APP, "/app", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/run/dbus", "--ro-bind", socket, INSIDE,
            "--setenv", "DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={INSIDE}", "--", *command]

def inside(user, socket, *command):
    return lab.run_as(user, words(socket, *command))

with bus.connect("member") as member:
    # The name that the manual gives, and no other.
    with proxy("member", *PERMISSIONS) as socket:
        done = inside("member", socket, "/app/bin/rawnetctl", "networks")
        assert done.returncode == 0 and "lab" in done.stdout, done
        # rawnetctl run: the command has the tap, outside is a lease of the user.
        child = lab.popen_as("member", words(socket, "/app/bin/rawnetctl", "run", "--name", "boxed", "lab", "--", "sh", "-c", "echo; exec cat"),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with child:
            assert child.stdout.readline() == "\n"
            (properties,) = member.leases().values()
            assert (properties["Name"], properties["Owner"], properties["Kind"]) == ("boxed", lab.uid_of("member"), "tap"), properties
            child.stdin.close()
        assert child.returncode == 0
        lab.wait_no_leases()
        # QEMU's way: rawnet-bridge-helper sends the tap over a socket, and a frame reaches the wire through it.
        import socket as sockets
        ours, theirs = sockets.socketpair()
        helper = lab.popen_as("member", words(socket, "/app/libexec/rawnet/rawnet-bridge-helper", "--use-vnet", "--br=lab", f"--fd={theirs.fileno()}"),
                              pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
        theirs.close()
        with helper:
            ours.settimeout(30)
            data, fds, _, _ = sockets.recv_fds(ours, 16, 4)
            error = helper.stderr.read()
        assert helper.returncode == 0 and len(fds) == 1, (helper.returncode, error)
        mac = "52:54:00:55:00:01"
        port = frames.Port(fds[0], True)
        (path,) = member.leases()
        with frames.WirePort() as wire:
            port.send(frames.marker(mac, "first"))
            lab.wait_for(lambda: member.leases()[path]["MAC"] == mac, 20, "the learned address")
            port.send(frames.marker(mac, "second"))
            wire.wait(b"second", 20)
        os.close(fds[0])
        lab.wait_no_leases()
    # Without the permission there is no rawnet; with the permission for another service neither.
    for permissions in ([], ["--talk=org.freedesktop.login1"]):
        with proxy("member", *permissions) as socket:
            done = inside("member", socket, "/app/bin/rawnetctl", "run", "lab", "--", "true")
            assert done.returncode == 125 and done.stdout == "" and done.stderr.startswith("rawnetctl: "), done
            print(f"# without the permission: {done.stderr.strip()}")
            assert not lab.lease_ids()
# The permission is the application's, the right is the user's: polkit is asked as outside.
with proxy("outsider", *PERMISSIONS) as socket:
    done = inside("outsider", socket, "/app/bin/rawnetctl", "run", "lab", "--", "true")
    assert done.returncode == 125 and "password" in done.stderr, done
assert not lab.lease_ids()
"""


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=tap.patience(300),
                          check=False, **options)  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command[:4])}: {done.returncode}\n{done.stdout}"
    return done.stdout


def application():
    """The directory that is /app in the sandbox: the module built with the manifest's options, without what the manifest removes."""
    app = f"{BUILD}/destination/app"
    shutil.rmtree(BUILD, ignore_errors=True)
    with open(MANIFEST, encoding="utf-8") as file:
        module = json.load(file)
    # As flatpak-builder calls meson. What only the daemons need is not there: a look for it would end the build.
    run("meson", "setup", f"{BUILD}/build", SOURCE, "--prefix=/app", "--libdir=lib", "-Dwerror=true", *module["config-opts"])
    run("meson", "compile", "-C", f"{BUILD}/build")
    run("meson", "install", "-C", f"{BUILD}/build", "--no-rebuild", "--quiet", env={**os.environ, "DESTDIR": f"{BUILD}/destination"})
    for path in module["cleanup"]:
        assert os.path.isdir(app + path), f"the manifest removes {path}, which is not there"
        shutil.rmtree(app + path)
    return app


@tap.limit(300)
def test_the_module_has_the_two_clients_and_no_more():
    app = application()
    found = {os.path.relpath(os.path.join(folder, name), app) for folder, _, names in os.walk(app) for name in names}
    assert found == INSTALLED, found ^ INSTALLED
    with open(f"{BUILD}/build/meson-info/intro-dependencies.json", encoding="utf-8") as file:
        names = {entry["name"] for entry in json.load(file)}
    assert names == {"libsystemd", "libmnl", "libmd", "json-c"}, names


def test_the_document_has_the_manifests_words():
    with open(f"{SOURCE}/docs/flatpak.md", encoding="utf-8") as file:
        text = file.read()
    assert "--system-talk-name=org.rawnet1" in text and os.path.relpath(MANIFEST, SOURCE) in text and "-Dclients-only=true" in text


@tap.limit(300)
def test_a_port_reaches_the_sandbox_with_the_permission():
    for program in ("xdg-dbus-proxy", "bwrap"):
        if not shutil.which(program):
            tap.skip(f"{program} is not installed")
    version = tuple(map(int, re.search(r"(\d+)\.(\d+)\.(\d+)", run("xdg-dbus-proxy", "--version")).groups()))
    if version < PASSES_DESCRIPTORS:
        tap.skip("this xdg-dbus-proxy drops all clients of sd-bus")
    app = f"{BUILD}/destination/app"
    if not os.path.isdir(app):
        app = application()
    print("\n".join(line for line in run(f"{SOURCE}/tools/lab", "exec", "--", "/usr/bin/python3", "-c", IN_LAB, app).splitlines()), flush=True)


if __name__ == "__main__":
    tap.main()
