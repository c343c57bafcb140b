// What is there in CommonJS bundles only.
declare const __filename: string | undefined;
