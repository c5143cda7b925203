//! The gateway on a store in memory, request by request.
