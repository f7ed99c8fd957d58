"""Front end for snapshots of accounts: what AWS already holds, as resources."""
