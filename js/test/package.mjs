// The package as its users import it. In a page, which knows no packages, the server of
// the tests gives out a file of this name that says the same with the address of the package's entry.
export * from 'normwasm';
