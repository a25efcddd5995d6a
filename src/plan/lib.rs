//! The contract between the control plane and the data planes.
