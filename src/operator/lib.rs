//! Observe, resolve, render, apply, report.
