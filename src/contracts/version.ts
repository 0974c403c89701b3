// The version of this program; a test holds it against package.json.
export const SLUICE_VERSION = '0.1.0';
