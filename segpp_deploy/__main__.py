"""`python -m segpp_deploy`: the same entry point as the `segpp-deploy` script."""

from segpp_deploy.cli.main import main

if __name__ == "__main__":
    main()
