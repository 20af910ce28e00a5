//! Addresses of RFCOMM sockets, which the libraries do not know: the only place of the workspace with `unsafe` in it.
#![allow(
    unsafe_code,
    reason = "socket addresses of other families than IP and Unix are made and read as octets"
)]

use std::io;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use crate::BluetoothAddress;

/// `AF_BLUETOOTH` of Linux.
const FAMILY: i32 = 31;
/// `BTPROTO_RFCOMM` of Linux.
const RFCOMM: i32 = 3;

/// `struct sockaddr_rc` of `bluetooth/rfcomm.h`; its size, with a padding octet at the end, is that of C.
#[repr(C)]
#[derive(Clone, Copy)]
struct RfcommAddress {
    family: u16,
    /// The last octet first.
    device: [u8; 6],
    channel: u8,
}

/// A socket of RFCOMM.
///
/// # Errors
/// Above all where the kernel has no Bluetooth.
pub(crate) fn socket() -> io::Result<Socket> {
    Socket::new(Domain::from(FAMILY), Type::STREAM, Some(Protocol::from(RFCOMM)))
}

/// A device and a channel of it as socket address.
///
/// # Errors
/// None on Linux.
pub(crate) fn address(device: BluetoothAddress, channel: u8) -> io::Result<SockAddr> {
    let BluetoothAddress(mut octets) = device;
    octets.reverse();
    let family = u16::try_from(FAMILY).map_err(io::Error::other)?;
    let length = size_of::<RfcommAddress>().try_into().map_err(io::Error::other)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the type is plain octets and integers in the layout of C, no larger than the storage and aligned less strictly, and any
    // octets are a value of it.
    let place = unsafe { storage.view_as::<RfcommAddress>() };
    *place = RfcommAddress { family, device: octets, channel };
    // SAFETY: the storage holds an address of the family that it says, of so many octets.
    Ok(unsafe { SockAddr::new(storage, length) })
}

/// The device that a socket address says.
pub(crate) fn device(address: SockAddr) -> Option<BluetoothAddress> {
    if i32::from(address.family()) != FAMILY {
        return None;
    }
    let mut storage = address.as_storage();
    // SAFETY: as in `address`; the octets beyond the length of the address are zero, or were written by the kernel.
    let RfcommAddress { device: mut octets, .. } = *unsafe { storage.view_as::<RfcommAddress>() };
    octets.reverse();
    Some(BluetoothAddress(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_laid_out_as_the_kernel_reads_it() {
        let written: BluetoothAddress = "0A:1B:2C:3D:4E:5F".parse().unwrap();
        let address = address(written, 7).unwrap();
        assert_eq!((i32::from(address.family()), address.len()), (31, 10));
        let mut storage = address.clone().as_storage();
        // SAFETY: ten octets are less than the storage has.
        let octets = *unsafe { storage.view_as::<[u8; 10]>() };
        assert_eq!(octets[2..9], [0x5f, 0x4e, 0x3d, 0x2c, 0x1b, 0x0a, 7]);
        assert_eq!(device(address), Some(written));
        let other = SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(device(other), None);
    }
}
