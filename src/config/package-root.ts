// The place of the package: in a checkout, in node_modules or in a container. The code is in dist/src or in dist/bundle.

/** The folder of package.json. */
export const PACKAGE_ROOT = new URL('./', import.meta.resolve('sluice/package.json'));
