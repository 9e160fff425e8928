//! OTP behaviours and services.
