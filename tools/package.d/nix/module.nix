# SPDX-License-Identifier: GPL-2.0-or-later
#
# A module for NixOS:
#
#     services.rawnet = {
#       enable = true;
#       networks.lab = { Parent = "eno1"; VLAN = 100; };
#     };
#     users.users.alice.extraGroups = [ "rawnet" ];
#
# docs/packaging.md says what was tried.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.rawnet;
  ini = pkgs.formats.ini { };
in
{
  options.services.rawnet = {
    enable = lib.mkEnableOption "rawnet, network ports for virtual machines and containers of ordinary users";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package of rawnet.";
    };
    networks = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.attrsOf (
          lib.types.oneOf [
            lib.types.str
            lib.types.int
          ]
        )
      );
      default = { };
      example = {
        lab = {
          Parent = "eno1";
          VLAN = 100;
        };
      };
      description = "Files in /etc/rawnet/networks by name, each with the keys of rawnet.network(5).";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc = lib.mapAttrs' (
      name: keys:
      lib.nameValuePair "rawnet/networks/${name}.conf" {
        source = ini.generate "${name}.conf" { Network = keys; };
      }
    ) cfg.networks;

    services.dbus.packages = [ cfg.package ];
    security.polkit.enable = true;
    systemd.packages = [ cfg.package ];
    systemd.sockets.rawnet-helper.wantedBy = [ "sockets.target" ];

    # As systemd/rawnet.sysusers has them.
    users.users._rawnet = {
      isSystemUser = true;
      group = "_rawnet";
      description = "rawnet D-Bus service";
    };
    users.users._rawnet-helper = {
      isSystemUser = true;
      group = "_rawnet-helper";
      description = "rawnet helper";
    };
    users.groups = {
      _rawnet = { };
      _rawnet-helper = { };
      rawnet = { };
      kvm = { };
    };
  };
}
