"""Registration of a tenant, and sign-in."""

from tenants.sign_in.service import admit_buyer, start_tenant


__all__ = ["admit_buyer", "start_tenant"]
