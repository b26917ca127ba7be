"""What a person needs to test code that talks to a realtime model: scripted stages, a scripted server, clips."""
