//! What only root can show: owners, mounts, capabilities. `make test` leaves these out without
//! root, and says how many.

mod agreement;
mod denied;
mod disks;
mod file_systems;
mod limited;
mod links;
mod policy;
mod privileges;
mod races;
mod read_only;
mod selinux;
mod set_id_bits;
mod several_failures;
mod shapes;
mod trust;
mod user_namespaces;
mod wanted;

use crate::support::{mount, need_root};
