//! Where this machine is reached: its addresses in the networks that it is in.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// The most networks that are told of.
const MOST: usize = 8;
/// An address that leads to no network nearby: kept for documentation.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// This machine's addresses, first the one in the network that leads elsewhere; without any network the one
/// that only it can reach.
pub fn addresses() -> Vec<IpAddr> {
    let table = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut addresses = Vec::new();
    for to in std::iter::once(ELSEWHERE).chain(nearby(&table)) {
        let known = from(to).filter(|address| !address.is_loopback());
        addresses.extend(known.filter(|address| !addresses.contains(address)));
    }
    addresses.truncate(MOST);
    if addresses.is_empty() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    addresses
}

/// An address in each network of the system's table of routes.
fn nearby(table: &str) -> impl Iterator<Item = Ipv4Addr> {
    let network = |line: &str| {
        let network = u32::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()?;
        // It is written as it lies in memory.
        let [a, b, c, d] = network.to_ne_bytes();
        (network != 0).then(|| Ipv4Addr::new(a, b, c, d | 1))
    };
    table.lines().skip(1).take(64).filter_map(network)
}

/// The address that this machine has on the way there. Nothing is sent to find it.
fn from(to: Ipv4Addr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_from_the_systems_table() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                     eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\n\
                     eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\n\
                     odd\tXYZ\t\nshort\n";
        let networks: Vec<_> = nearby(table).collect();
        if cfg!(target_endian = "little") {
            assert_eq!(networks, [Ipv4Addr::new(192, 168, 1, 1)]);
        }
        assert_eq!(nearby("").count(), 0);
    }

    #[test]
    fn there_is_always_an_address_and_none_twice() {
        let addresses = addresses();
        assert!(!addresses.is_empty());
        for (at, address) in addresses.iter().enumerate() {
            assert!(!addresses[..at].contains(address), "{addresses:?}");
        }
    }
}
