/**
 * What the demo's gateway is told beside its interfaces, pools and files. The scenes give most Services their EIPs
 * themselves, and there is one gateway. All else is as shipped, and a test holds it there.
 */
export const settings = 'allocate: { classless: false, lease: false }';
