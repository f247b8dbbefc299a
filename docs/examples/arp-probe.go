// SPDX-License-Identifier: GPL-2.0-or-later

// Opens a packet port on a network, asks by ARP who has an address, and prints the answer. rawnetctl opens the port: this
// program executes it, and rawnetctl becomes this program again, with the port as descriptor 3.
//
//	go run arp-probe.go NETWORK ADDRESS
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
)

const port = 3 // sd_listen_fds(3)

// openPort returns only if it fails.
func openPort(network, address string) error {
	rawnetctl, err := exec.LookPath("rawnetctl")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(rawnetctl, []string{"rawnetctl", "run", "--kind", "packet", "--name", "arp-probe", network,
		"--", self, network, address}, os.Environ())
}

// request is the frame with the question, from mac to everybody.
func request(mac net.HardwareAddr, address net.IP) []byte {
	var frame bytes.Buffer
	broadcast := bytes.Repeat([]byte{0xff}, 6)
	for _, part := range []interface{}{broadcast, []byte(mac), []uint16{0x0806, 1, 0x0800, 0x0604, 1},
		[]byte(mac), make([]byte, 4), make([]byte, 6), []byte(address)} {
		binary.Write(&frame, binary.BigEndian, part)
	}
	return frame.Bytes()
}

func probe(mac net.HardwareAddr, address net.IP) (net.HardwareAddr, error) {
	limit := syscall.Timeval{Sec: 5}
	if err := syscall.SetsockoptTimeval(port, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit); err != nil {
		return nil, err
	}
	if _, err := syscall.Write(port, request(mac, address)); err != nil {
		return nil, err
	}
	frame := make([]byte, 65536)
	for {
		n, err := syscall.Read(port, frame)
		if err == syscall.EAGAIN {
			return nil, fmt.Errorf("%s: no answer", address)
		}
		if err != nil {
			return nil, err
		}
		// EtherType ARP, operation "reply", and the sender has the address that was asked for.
		if n >= 42 && binary.BigEndian.Uint16(frame[12:]) == 0x0806 && binary.BigEndian.Uint16(frame[20:]) == 2 &&
			bytes.Equal(frame[28:32], address) {
			return net.HardwareAddr(frame[22:28]), nil
		}
	}
}

func run(network, text string) error {
	address := net.ParseIP(text).To4()
	if address == nil {
		return fmt.Errorf("%s is not an IPv4 address", text)
	}
	if os.Getenv("RAWNET_LEASE") == "" {
		return openPort(network, text)
	}
	mac, err := net.ParseMAC(os.Getenv("RAWNET_MAC"))
	if err != nil {
		return err
	}
	found, err := probe(mac, address)
	if err == nil {
		fmt.Println(address, "is at", found)
	}
	return err
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: arp-probe NETWORK ADDRESS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "arp-probe:", err)
		os.Exit(1)
	}
}
