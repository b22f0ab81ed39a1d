//! Functions of IP networks, `10.0.0.0/16` and `2001:db8::/32`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Arguments, Function, Refusal};
use crate::value::Value;

pub(super) const CIDRSUBNET: Function = Function::whole(
    "cidrsubnet(prefix, newbits, number)",
    "The network of that number among those that have so many bits more in their prefix.",
    r#"cidrsubnet("10.0.0.0/16", 8, 2)"#,
    r#""10.0.2.0/24""#,
    |arguments| {
        let (network, bits, number) = (Network::of(arguments, 0)?, arguments.size(1)?, arguments.size(2)?);
        let length = network.longer(bits).ok_or_else(|| network.too_long(bits).about(1))?;
        let number = u128::try_from(number).unwrap_or(u128::MAX);
        if number.checked_shr(u32::from(length - network.length)).unwrap_or(0) != 0 {
            let message = format!("there is no network {number}: {bits} bits number from 0 to {}", highest(bits));
            return Err(Refusal::new(message).about(2));
        }
        Ok(Network { length, ..network }.after(number).text())
    },
);

pub(super) const CIDRSUBNETS: Function = Function::whole(
    "cidrsubnets(prefix, newbits...)",
    "Networks that follow each other in the prefix, each with so many bits more; each begins where it may.",
    r#"cidrsubnets("10.0.0.0/16", 4, 8, 4)"#,
    r#"["10.0.0.0/20", "10.0.16.0/24", "10.0.32.0/20"]"#,
    |arguments| {
        let network = Network::of(arguments, 0)?;
        arguments.room_for_values(arguments.count())?;
        let mut networks = Vec::new();
        // The first address that is free, counted from the prefix; none once the last was given.
        let mut free = Some(0_u128);
        for at in 1..arguments.count() {
            let bits = arguments.size(at)?;
            let length = network.longer(bits).ok_or_else(|| network.too_long(bits).about(at))?;
            let host_bits = u32::from(network.width - length);
            // How many networks of this length fit in front of it.
            let number = free.and_then(|free| match host_bits {
                128 => (free == 0).then_some(0),
                bits => Some(free.div_ceil(1 << bits)),
            });
            let fits = |number: &u128| number.checked_shr(u32::from(length - network.length)).unwrap_or(0) == 0;
            let Some(number) = number.filter(fits) else {
                return Err(Refusal::new("there is no room left in the prefix").about(at));
            };
            networks.push(Network { length, ..network }.after(number).text());
            free = (number + 1).checked_mul(1_u128.checked_shl(host_bits).unwrap_or(0)).filter(|free| *free != 0);
        }
        Ok(Value::List(networks))
    },
);

pub(super) const CIDRHOST: Function = Function::whole(
    "cidrhost(prefix, number)",
    "The address of that number in the network; counted from the end if negative.",
    r#"cidrhost("10.0.2.0/24", -2)"#,
    r#""10.0.2.254""#,
    |arguments| {
        let (network, number) = (Network::of(arguments, 0)?, arguments.integer(1)?);
        let last = u128::MAX.checked_shr(128 - u32::from(network.width - network.length)).unwrap_or(0);
        let back = u128::from(number.unsigned_abs());
        let number = if number < 0 { last.checked_sub(back.saturating_sub(1)) } else { Some(back) };
        match number.filter(|number| *number <= last) {
            Some(number) => Ok(network.address(network.bits | number).to_string().into()),
            None => {
                let message = format!("a prefix of {} bits has no such address", network.length);
                Err(Refusal::new(message).about(1))
            }
        }
    },
);

pub(super) const CIDRNETMASK: Function = Function::whole(
    "cidrnetmask(prefix)",
    "The netmask of an IPv4 network.",
    r#"cidrnetmask("10.0.0.0/12")"#,
    r#""255.240.0.0""#,
    |arguments| match network(arguments, 0)? {
        IpNet::V4(network) => Ok(network.netmask().to_string().into()),
        IpNet::V6(_) => Err(Refusal::new("IPv6 networks have no netmask").about(0)),
    },
);

pub(super) const CIDRCONTAINS: Function = Function::whole(
    "cidrcontains(prefix, address)",
    "Whether the address, or the whole other network, is in the network.",
    r#"cidrcontains("10.0.0.0/16", "10.0.2.0/24")"#,
    "true",
    |arguments| {
        let (network, inside) = (network(arguments, 0)?, arguments.text(1)?);
        let inside = match inside.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => parse(&inside).map_err(|refusal| refusal.about(1))?,
        };
        Ok(network.contains(&inside).into())
    },
);

fn network(arguments: &mut Arguments, at: usize) -> Result<IpNet, Refusal> {
    let text = arguments.text(at)?;
    parse(&text).map_err(|refusal| refusal.about(at))
}

fn parse(text: &str) -> Result<IpNet, Refusal> {
    let network: Option<IpNet> = text.parse().ok();
    let refused = || Refusal::new(format!("`{text}` is no network such as 10.0.0.0/16 or 2001:db8::/32"));
    network.map(|network| network.trunc()).ok_or_else(refused)
}

/// The highest number of so many bits, as far as there are numbers for it.
fn highest(bits: usize) -> u64 {
    u32::try_from(bits).ok().and_then(|bits| 1_u64.checked_shl(bits)).map_or(u64::MAX, |count| count - 1)
}

/// A network of either kind, as numbers.
#[derive(Clone, Copy)]
struct Network {
    /// The address, its host bits zero; in the lower `width` bits.
    bits: u128,
    /// The bits of its prefix.
    length: u8,
    /// The bits of an address, 32 or 128.
    width: u8,
}

impl Network {
    fn of(arguments: &mut Arguments, at: usize) -> Result<Self, Refusal> {
        Ok(match network(arguments, at)? {
            IpNet::V4(network) => {
                Self { bits: network.network().to_bits().into(), length: network.prefix_len(), width: 32 }
            }
            IpNet::V6(network) => Self { bits: network.network().to_bits(), length: network.prefix_len(), width: 128 },
        })
    }

    /// The length of a prefix that is so many bits longer, if an address has so many.
    fn longer(self, bits: usize) -> Option<u8> {
        u8::try_from(bits).ok()?.checked_add(self.length).filter(|length| *length <= self.width)
    }

    fn too_long(self, bits: usize) -> Refusal {
        let Self { length, width, .. } = self;
        Refusal::new(format!("a prefix of {length} bits cannot get {bits} more: an address has {width}"))
    }

    /// The network of this length that so many others stand before.
    fn after(self, number: u128) -> Self {
        let offset = number.checked_shl(u32::from(self.width - self.length)).unwrap_or(0);
        Self { bits: self.bits | offset, ..self }
    }

    fn address(self, bits: u128) -> IpAddr {
        match self.width {
            32 => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
            _ => Ipv6Addr::from_bits(bits).into(),
        }
    }

    fn text(self) -> Value {
        format!("{}/{}", self.address(self.bits), self.length).into()
    }
}
