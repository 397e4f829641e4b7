"""Worst-case replay of AgentDojo: does an assistant whose model obeys everything it reads act against its user?"""
