# SPDX-License-Identifier: GPL-2.0-or-later
"""How a release is made (tools/release), in a clone; and what CONTRIBUTING.md has a newcomer type."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

import documents  # noqa: E402
import tap  # noqa: E402

NEWS = "# News\n\n## Next\n\n- Guests may dance.\n\n## 0.0.1 (2020-01-01)\n\n- First.\n"
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.org", "GIT_COMMITTER_NAME": "Test",
       "GIT_COMMITTER_EMAIL": "test@example.org"}  # fmt: skip


class Checkout:
    """The tree of the files that git tracks or would track, as the only commit of a repository."""

    def __init__(self, place):
        self.path = f"{place}/rawnet"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAWNET_", "GIT_"))}
        self.environment = environment | GIT
        listed = subprocess.run(["git", "-c", f"safe.directory={SOURCE}", "ls-files", "-z", "-co", "--exclude-standard"], cwd=SOURCE,
                                capture_output=True, text=True, check=True).stdout  # fmt: skip
        for name in listed.split("\0"):
            if name and os.path.isfile(f"{SOURCE}/{name}"):
                os.makedirs(os.path.dirname(f"{self.path}/{name}"), exist_ok=True)
                shutil.copy2(f"{SOURCE}/{name}", f"{self.path}/{name}")
        self.write("NEWS.md", NEWS)
        self.run("git", "init", "-q")
        self.commit()

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "a commit")

    def run(self, *command):
        done = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def refused(self, *command):
        """What tools/release says instead."""
        before = self.run("git", "status", "--porcelain")
        done = subprocess.run(["tools/release", *command], cwd=self.path, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and done.stderr.startswith("release: "), done
        assert self.run("git", "status", "--porcelain") == before
        return done.stderr

    def write(self, name, text):
        with open(f"{self.path}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(f"{self.path}/{name}", encoding="utf-8") as file:
            return file.read()


@tap.limit(300)
def test_a_release():
    """The three files get the version, and the tarball is what was committed."""
    with tempfile.TemporaryDirectory() as place:
        tree = Checkout(place)
        assert "three numbers" in tree.refused("prepare", "99")
        assert "not later" in tree.refused("prepare", "0.0.1")
        assert "tools/release prepare" in tree.refused("build")  # NEWS.md begins with "Next"
        tree.run("tools/release", "prepare", "99.1.0")
        assert "not committed" in tree.refused("build")
        assert "version : '99.1.0'" in tree.read("meson.build") and "## Next" not in tree.read("NEWS.md")
        assert tree.read("debian/changelog").startswith("rawnet (99.1.0) bookworm;")
        assert "not committed" in tree.refused("prepare", "99.2.0")
        tree.commit()
        assert '"Next" is missing' in tree.refused("prepare", "99.2.0")
        tree.run("tools/release", "build", "--no-tests", "--no-package")
        made = "build/release-99.1.0"
        assert sorted(os.listdir(f"{tree.path}/{made}")) == ["rawnet-99.1.0.tar.xz", "rawnet-99.1.0.tar.xz.sha256sum", "tag"]
        assert tree.read(f"{made}/tag") == "rawnet 99.1.0\n\n- Guests may dance.\n"
        with tarfile.open(f"{tree.path}/{made}/rawnet-99.1.0.tar.xz") as tar:
            packed = {name.removeprefix("rawnet-99.1.0/") for name in tar.getnames()}
        assert {"helper/main.c", "debian/control", "tests/unit/meson.build"} <= packed and "build" not in packed
        # Another checkout of the commit, another umask and time zone: the same bytes.
        tree.run("sh", "-c", "umask 077 && git clone -q . ../other && cd ../other && TZ=Asia/Tokyo tools/release build --no-tests --no-package")
        assert tree.run("sh", "-c", f"cd ../other/{made} && sha256sum *.xz") == tree.read(f"{made}/rawnet-99.1.0.tar.xz.sha256sum")
        tree.write("debian/changelog", tree.read("debian/changelog").replace("99.1.0", "99.0.9"))
        tree.commit()
        assert "debian/changelog has version 99.0.9" in tree.refused("build")


@tap.limit(300)
def test_a_first_change():
    """CONTRIBUTING.md's blocks, as they are printed."""
    for name in ("contributing-find", "contributing-try", "contributing-check"):
        done = subprocess.run(["bash", "-e", "-c", documents.block(name)], cwd=SOURCE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        assert "not ok" not in done.stdout, done.stdout


if __name__ == "__main__":
    tap.main()
