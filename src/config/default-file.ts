/** The configuration file without `--config` and the variable. */
export const defaultFile = '/etc/eiproute/gateway.yaml';

export const fileVariable = 'EIPROUTE_CONFIG';

/** That of `eiproute node`. */
export const defaultNodeFile = '/etc/eiproute/node.yaml';
