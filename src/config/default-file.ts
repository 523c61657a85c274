/** The configuration, where neither `--config` nor the variable names another. */
export const defaultFile = '/etc/eiproute/gateway.yaml';

export const fileVariable = 'EIPROUTE_CONFIG';

/** That of `eiproute node`. */
export const defaultNodeFile = '/etc/eiproute/node.yaml';
