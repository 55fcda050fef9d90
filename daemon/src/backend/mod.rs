//! Where the daemon keeps what it knows: [`store`] (records), [`queue`] (tasks on their way) and [`files`] (what is large) are the
//! traits and types that the rest of the daemon works with; `sqlite` and `aws` are the two wings that carry them out.
//!
//! [`open`] opens the wing that the settings name. Beside the wings: [`data_folder`] (what lies on this machine), `transfer`
//! (everything from one backend to the other), [`backup`] (everything into one file and back).

#[cfg(feature = "aws")]
pub mod aws;
pub mod backup;
pub mod data_folder;
pub mod error;
pub mod files;
pub mod open;
pub mod queue;
pub mod sqlite;
pub mod store;
#[cfg(feature = "aws")]
pub mod transfer;
