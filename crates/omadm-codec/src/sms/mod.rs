//! Short messages that carry a push: SMS-DELIVER and SMS-SUBMIT with ports and concatenation (`3GPP TS 23.040 §9.2`).
//!
//! Only 8-bit data. [`split`] makes the parts of a long payload, [`Reassembly`] puts them together again.

mod address;
mod parts;
mod tpdu;
mod user_data;

pub use address::Address;
pub use parts::{Bounds, Message, Reassembly, TooLong, split};
pub use tpdu::{Deliver, ServiceCentreTime, Submit, Tpdu, Validity};
pub use user_data::{MAX_USER_DATA, Part, Ports, Reference, UserData};
