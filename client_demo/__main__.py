"""`python -m client_demo` is `partway-client`."""

from client_demo.cli import main

if __name__ == "__main__":
    main()
