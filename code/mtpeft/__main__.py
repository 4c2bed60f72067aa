from mtpeft.cli import main

main()
