# SPDX-License-Identifier: GPL-2.0-or-later
#
# rawnet for nixpkgs: pkgs.callPackage ./package.nix { }. docs/packaging.md says what was tried.
{
  lib,
  stdenv,
  bpftools,
  busybox,
  cmocka,
  iproute2,
  json_c,
  libbpf,
  libcap_ng,
  libmd,
  libmnl,
  libnftnl,
  libseccomp,
  llvmPackages,
  meson,
  ninja,
  pkg-config,
  polkit,
  scdoc,
  systemd,
}:

stdenv.mkDerivation {
  pname = "rawnet";
  version = "0.2.0";
  src = lib.cleanSource ../../..;

  nativeBuildInputs = [
    bpftools
    llvmPackages.clang-unwrapped # its bpf target; the wrapper adds flags of this machine's processor
    meson
    ninja
    pkg-config
    scdoc
  ];
  buildInputs = [
    cmocka
    json_c
    libbpf
    libcap_ng
    libmd
    libmnl
    libnftnl
    libseccomp
    systemd
  ];

  # Networks are the administrator's, in /etc; what is installed stays below the prefix.
  mesonFlags = [
    "--sysconfdir=/etc"
    "--localstatedir=/var"
    "--libexecdir=libexec/rawnet"
    "-Dsystemd-system-unit-dir=${placeholder "out"}/lib/systemd/system"
    "-Dzsh-completion-dir=${placeholder "out"}/share/zsh/site-functions"
    "-Dpkttyagent=${lib.getExe' polkit "pkttyagent"}"
    "-Dsystem-path=${
      lib.makeBinPath [
        iproute2
        busybox
      ]
    }"
  ];
  mesonCheckFlags = [ "--suite=unit" ];
  doCheck = true;

  meta = {
    description = "Network ports on LANs and VLANs for virtual machines and containers of ordinary users";
    license = lib.licenses.gpl2Plus;
    platforms = lib.platforms.linux;
    mainProgram = "rawnetctl";
  };
}
