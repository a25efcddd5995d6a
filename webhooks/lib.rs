//! Admission: AdmissionReview in, verdict out.
